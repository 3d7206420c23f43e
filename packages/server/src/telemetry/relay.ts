/** Telemetry, from clients and from the bus: given to both audiences, on the bus and at the telemetry server; no log keeps it (protocol §8). */
import {
  type BusEventType,
  CodedError,
  compile,
  objectIn,
  type ReadEnvelope,
  stamp,
  TELEMETRY_CHANNEL,
  TELEMETRY_ROOM,
  TelemetryEvent,
  telemetryEvents,
} from '@arqonbus/protocol'
import type { Delivery } from '../delivery/deliver.ts'
import type { Frames } from '../delivery/frames.ts'
import type { Answers } from '../delivery/replies.ts'
import { type Clock, isoTime } from '../kit/clock.ts'
import type { Metrics } from '../observability/metrics.ts'
import { type Channel, type Client, countListeners } from '../state/model.ts'
import type { ToListeners } from './broadcast.ts'
import type { Told } from './emitter.ts'
import type { Listener, Listeners } from './subscribers.ts'
import { topicsOfClientEvent, topicsOfEvent } from './topics.ts'

const checkEvent = compile(TelemetryEvent)
const eventFields: ReadonlySet<string> = new Set(Object.keys(TelemetryEvent.properties))

/** What it needs. */
export type TelemetryDeps = {
  /** The channels of `integriguard`. */
  readonly telemetry: Channel
  readonly dashboard: Channel
  readonly delivery: Delivery
  readonly listeners: Listeners
  readonly toListeners: ToListeners
  readonly answers: Answers
  readonly frames: Frames
  readonly clock: Clock
  readonly metrics: Pick<Metrics, 'telemetryEvent'>
}

/** Telemetry. */
export type Telemetry = {
  /** False while nobody listens to anything. Called for every message. */
  isWatched(): boolean
  /** True while somebody listens to events of that type. */
  isHeard(type: BusEventType): boolean
  /** Tells an event of the bus. */
  tell(event: Told): void
  /** Passes on what a client of the bus sends; `invalid_telemetry`. */
  fromClient(client: Client, envelope: ReadEnvelope): void
  /** Passes on what a listener of the telemetry server sends; `invalid_telemetry`. */
  fromListener(listener: Listener, envelope: ReadEnvelope): void
}

/** Makes it. */
export function createTelemetry(deps: TelemetryDeps): Telemetry {
  const { telemetry, dashboard, delivery, listeners, toListeners, answers, frames, clock, metrics } = deps
  const wide = telemetry.room.wideOutlet
  const outletsOf = (channel: Channel) => [channel.outlet, wide]
  const stream = outletsOf(telemetry)
  const activity = outletsOf(dashboard)

  const relay = (envelope: ReadEnvelope, client?: Client, listener?: Listener): number => {
    if (envelope.room !== TELEMETRY_ROOM || envelope.channel !== TELEMETRY_CHANNEL)
      throw wrong('/channel', `${TELEMETRY_ROOM}:${TELEMETRY_CHANNEL}`)
    const payload = (envelope.payload ?? objectIn(envelope.payloadText, eventFields)) as TelemetryEvent
    const fault = checkEvent(payload)
    if (fault !== undefined) throw wrong(`/payload${fault.path}`, fault.expected)
    const text = stamp(envelope, isoTime(clock.now()))
    metrics.telemetryEvent('other')
    delivery.toOutlets(stream, { text }, client)
    const recipients = countListeners(stream)
    if (listeners.size === 0) return recipients
    return recipients + toListeners.give(topicsOfClientEvent(payload.eventType), text, listener)
  }

  return {
    isWatched: () =>
      wide.listeners > 0 || telemetry.outlet.listeners > 0 || dashboard.outlet.listeners > 0 || listeners.size > 0,
    isHeard(type) {
      const { channel } = telemetryEvents[type]
      const outlet = channel === TELEMETRY_CHANNEL ? telemetry.outlet : dashboard.outlet
      if (outlet.listeners > 0 || wide.listeners > 0) return true
      return listeners.size > 0 && topicsOfEvent(type).some((topic) => listeners.hearing(topic) > 0)
    },
    tell({ about, eventType, payload }) {
      const { channel } = telemetryEvents[about]
      const text = frames.envelope(
        'telemetry',
        { room: TELEMETRY_ROOM, channel },
        JSON.stringify({ eventType, payload }),
      )
      metrics.telemetryEvent(eventType)
      delivery.toOutlets(channel === TELEMETRY_CHANNEL ? stream : activity, { text })
      if (listeners.size > 0) toListeners.give(topicsOfEvent(about, eventType), text)
    },
    fromClient(client, envelope) {
      const recipients = relay(envelope, client.echo ? undefined : client)
      if (isAcknowledged(envelope) || client.caller !== undefined)
        answers.acknowledge(client, envelope.id, { ...outcome, recipients }, stream)
    },
    fromListener(listener, envelope) {
      const recipients = relay(envelope, undefined, listener.echo ? undefined : listener)
      if (isAcknowledged(envelope))
        toListeners.toListener(listener, frames.acknowledgement(envelope.id, { ...outcome, recipients }))
    },
  }
}

/** What becomes of an event: nothing keeps it. */
const outcome = { position: null, durability: 'memory', duplicate: false } as const

const isAcknowledged = ({ metadata }: ReadEnvelope): boolean => metadata?.ack !== undefined && metadata.ack !== false

const wrong = (path: string, expected: string): CodedError => new CodedError('invalid_telemetry', { path, expected })
