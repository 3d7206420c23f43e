/** Telemetry, from clients and from the bus: given to both audiences, on the bus and at the telemetry server; no log keeps it (protocol §8). */
import {
  type BusEventType,
  CodedError,
  compile,
  encodeLive,
  objectIn,
  type ParsedEnvelope,
  TELEMETRY_CHANNEL,
  TELEMETRY_ROOM,
  TelemetryEvent,
  telemetryEvents,
} from '@arqonbus/protocol'
import type { Delivery } from '../delivery/deliver.ts'
import type { Frames } from '../delivery/frames.ts'
import type { Replies } from '../delivery/replies.ts'
import { type Clock, isoTime } from '../kit/clock.ts'
import type { Metrics } from '../observability/metrics.ts'
import { type Channel, type Client, countSubscribers } from '../state/model.ts'
import type { TelemetryBroadcast } from './broadcast.ts'
import type { EmittedEvent } from './emitter.ts'
import type { TelemetrySubscriber, TelemetrySubscribers } from './subscribers.ts'
import { topicsOfClientEvent, topicsOfEvent } from './topics.ts'

const checkEvent = compile(TelemetryEvent)
const eventFields: ReadonlySet<string> = new Set(Object.keys(TelemetryEvent.properties))

/** What it needs. */
export type TelemetryDeps = {
  /** The channels of `integriguard`. */
  readonly telemetry: Channel
  readonly dashboard: Channel
  readonly delivery: Delivery
  readonly listeners: TelemetrySubscribers
  readonly toListeners: TelemetryBroadcast
  readonly answers: Replies
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
  tell(event: EmittedEvent): void
  /** Passes on what a client of the bus sends; `invalid_telemetry`. */
  fromClient(client: Client, envelope: ParsedEnvelope): void
  /** Passes on what a listener of the telemetry server sends; `invalid_telemetry`. */
  fromListener(listener: TelemetrySubscriber, envelope: ParsedEnvelope): void
}

/** Makes it. */
export function createTelemetry(deps: TelemetryDeps): Telemetry {
  const { telemetry, dashboard, delivery, listeners, toListeners, answers, frames, clock, metrics } = deps
  const wide = telemetry.room.wideFeed
  const outletsOf = (channel: Channel) => [channel.feed, wide]
  const stream = outletsOf(telemetry)
  const activity = outletsOf(dashboard)

  const relay = (envelope: ParsedEnvelope, client?: Client, listener?: TelemetrySubscriber): number => {
    if (envelope.room !== TELEMETRY_ROOM || envelope.channel !== TELEMETRY_CHANNEL)
      throw wrong('/channel', `${TELEMETRY_ROOM}:${TELEMETRY_CHANNEL}`)
    const payload = (envelope.payload ?? objectIn(envelope.payloadText, eventFields)) as TelemetryEvent
    const fault = checkEvent(payload)
    if (fault !== undefined) throw wrong(`/payload${fault.path}`, fault.expected)
    const text = encodeLive(envelope, isoTime(clock.now()))
    metrics.telemetryEvent('other')
    delivery.broadcast(stream, { text }, client)
    const recipients = countSubscribers(stream)
    if (listeners.size === 0) return recipients
    return recipients + toListeners.give(topicsOfClientEvent(payload.eventType), text, listener)
  }

  return {
    isWatched: () =>
      wide.subscribers > 0 || telemetry.feed.subscribers > 0 || dashboard.feed.subscribers > 0 || listeners.size > 0,
    isHeard(type) {
      const { channel } = telemetryEvents[type]
      const feed = channel === TELEMETRY_CHANNEL ? telemetry.feed : dashboard.feed
      if (feed.subscribers > 0 || wide.subscribers > 0) return true
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
      delivery.broadcast(channel === TELEMETRY_CHANNEL ? stream : activity, { text })
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

const isAcknowledged = ({ metadata }: ParsedEnvelope): boolean => metadata?.ack !== undefined && metadata.ack !== false

const wrong = (path: string, expected: string): CodedError => new CodedError('invalid_telemetry', { path, expected })
