/**
 * The topics of the telemetry server: one for everything, and those that filters ask for. A subscriber gets each event
 * once.
 */
import { type BusEventType, busEventTypes, TELEMETRY_CHANNEL, telemetryEvents } from '@arqonbus/protocol'
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

const isIn = (channels: readonly string[]) => (type: BusEventType) => channels.includes(telemetryEvents[type].channel)
const isInAll = (channels: readonly string[]): boolean =>
  channels.includes(TELEMETRY_CHANNEL) && busEventTypes.every(isIn(channels))

/** The topics that a filter asks for, as far as they are of these channels. */
export function topicsOf({ events, clientEvents }: Filter, channels: readonly string[]): ReadonlySet<string> {
  const isUnfiltered = events === undefined && clientEvents === undefined
  if (isUnfiltered && isInAll(channels)) return new Set([EVERYTHING])
  const types = busEventTypes.filter(isIn(channels))
  const own = (isUnfiltered ? types : (events ?? [])).flatMap((type) => {
    if (!isBusEvent(type)) return types.map(summaryOf)
    return types.includes(type) ? [type, summaryOf(type)] : []
  })
  const isEveryClients = isUnfiltered || clientEvents?.includes(EVERYTHING) === true
  const theirs = isEveryClients ? [CLIENTS] : (clientEvents ?? []).map(ofClients)
  return new Set([...own, ...(channels.includes(TELEMETRY_CHANNEL) ? theirs : [])])
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
