/**
 * The topics of the telemetry server: one for everything, and those that filters ask for. A subscriber gets each event
 * once.
 */
import { type BusEventType, busEventTypes } from '@arqonbus/protocol'
import type { EmittedEvent } from './emitter.ts'

/** What a subscriber asks for; undefined: everything if the other is undefined too, else nothing. */
export type Filter = {
  /** Types of the bus's own events, or `telemetry_summary`. */
  readonly events: readonly string[] | undefined
  /** Types of clients' events, or `*`. */
  readonly clientEvents: readonly string[] | undefined
}

/** Everything. */
const EVERYTHING = '*'

const CLIENTS = 'clients'
const ofClients = (type: string) => `c:${type}`
/**
 * A summary goes to the subscribers of its type and to those of summaries, by a topic of its own, so that no subscriber
 * gets it twice.
 */
const summaryOf = (type: BusEventType) => `s:${type}`
const isBusEvent = (type: string): type is BusEventType => (busEventTypes as readonly string[]).includes(type)

/** The topics that a filter asks for. */
export function topicsOf({ events, clientEvents }: Filter): ReadonlySet<string> {
  if (events === undefined && clientEvents === undefined) return new Set([EVERYTHING])
  const own = (events ?? []).flatMap((type) =>
    isBusEvent(type) ? [type, summaryOf(type)] : busEventTypes.map(summaryOf),
  )
  const theirs = clientEvents?.includes(EVERYTHING) === true ? [CLIENTS] : (clientEvents ?? []).map(ofClients)
  return new Set([...own, ...theirs])
}

const byType = (topicOf: (type: BusEventType) => string) =>
  new Map(busEventTypes.map((type): [BusEventType, readonly string[]] => [type, [EVERYTHING, topicOf(type)]]))
const ofEvents = byType((type) => type)
const ofSummaries = byType(summaryOf)

/** Where an event of the bus goes that is about this type: the event itself, or a summary of such. */
export const topicsOfEvent = (about: BusEventType, eventType: EmittedEvent['eventType'] = about): readonly string[] =>
  (eventType === about ? ofEvents : ofSummaries).get(about)!

/** Where a client's event goes. */
export const topicsOfClientEvent = (type: string): readonly string[] => [EVERYTHING, CLIENTS, ofClients(type)]
