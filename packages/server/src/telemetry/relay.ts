/**
 * Telemetry, from clients and from the bus, for both audiences: subscribers of two channels, and those of the telemetry
 * server. No log keeps it (docs/protocol.md#telemetry).
 */
import {
  areAny,
  type BusEventType,
  CodedError,
  compileAll,
  encodeLive,
  type Fault,
  faultDetails,
  faultsAt,
  objectIn,
  type ParsedEnvelope,
  TELEMETRY_CHANNEL,
  TELEMETRY_ROOM,
  TelemetryEvent,
  telemetryEvents,
} from '@arqonbus/protocol'
import { granted, requireGrant } from '../auth/access.ts'
import type { Delivery } from '../delivery/deliver.ts'
import type { Frames } from '../delivery/frames.ts'
import type { Replies } from '../delivery/replies.ts'
import { type Clock, isoTime } from '../kit/clock.ts'
import type { Metrics } from '../observability/metrics.ts'
import { type Channel, type Client, countSubscribers } from '../state/model.ts'
import type { Traffic } from '../state/traffic.ts'
import type { TelemetryBroadcast } from './broadcast.ts'
import type { EmittedEvent } from './emitter.ts'
import type { TelemetrySubscriber, TelemetrySubscribers } from './subscribers.ts'
import { topicsOfClientEvent, topicsOfEvent } from './topics.ts'

const faultsOf = compileAll(TelemetryEvent)
const eventFields: ReadonlySet<string> = new Set(Object.keys(TelemetryEvent.properties))

/** What telemetry needs. */
type TelemetryDeps = {
  /** The channels of `integriguard`. */
  readonly telemetry: Channel
  readonly dashboard: Channel
  readonly delivery: Delivery
  /** Counts a message of a feed. */
  readonly traffic: Pick<Traffic, 'count'>
  readonly subscribers: TelemetrySubscribers
  readonly broadcast: TelemetryBroadcast
  readonly replies: Replies
  readonly frames: Frames
  readonly clock: Clock
  readonly metrics: Pick<Metrics, 'telemetryEvent'>
}

/** Telemetry. */
export type Telemetry = ReturnType<typeof createTelemetry>

/** Creates telemetry. */
export function createTelemetry(deps: TelemetryDeps) {
  const { telemetry, dashboard, delivery, traffic, subscribers, broadcast, replies, frames, clock, metrics } = deps
  const wide = telemetry.room.wideFeed
  const feedsOf = (channel: Channel) => [channel.feed, wide]
  const stream = feedsOf(telemetry)
  const activity = feedsOf(dashboard)
  /** The round of the broadcast in which the last event of the bus was published. */
  let lastRound = 0

  const relay = (envelope: ParsedEnvelope, client?: Client, subscriber?: TelemetrySubscriber): number => {
    const payload = (envelope.payload ?? objectIn(envelope.payloadText, eventFields)) as TelemetryEvent
    const wrong = faultsAt('/payload', faultsOf(payload))
    const faults = [...faultsOfAddress(envelope), ...wrong]
    if (areAny(faults)) throw new CodedError('invalid_telemetry', faultDetails(faults))
    const text = encodeLive(envelope, isoTime(clock.now()))
    metrics.telemetryEvent('other')
    traffic.count(telemetry.feed)
    delivery.publish(stream, { text }, client)
    const recipients = countSubscribers(stream)
    if (subscribers.size === 0) return recipients
    return recipients + broadcast.publish(topicsOfClientEvent(payload.eventType), text, subscriber)
  }

  return {
    /** False while telemetry has no subscriber. Called for every message. */
    isWatched: (): boolean =>
      wide.subscribers > 0 || telemetry.feed.subscribers > 0 || dashboard.feed.subscribers > 0 || subscribers.size > 0,
    /** True while events of that type have a subscriber. */
    isHeard(type: BusEventType): boolean {
      const { channel } = telemetryEvents[type]
      const feed = channel === TELEMETRY_CHANNEL ? telemetry.feed : dashboard.feed
      if (feed.subscribers > 0 || wide.subscribers > 0) return true
      return subscribers.size > 0 && topicsOfEvent(type).some((topic) => subscribers.hearing(topic) > 0)
    },
    /** Sends an event of the bus. */
    emit({ about, eventType, payload }: EmittedEvent): void {
      const { channel } = telemetryEvents[about]
      const address = { room: TELEMETRY_ROOM, channel }
      const text = frames.envelope('telemetry', address, JSON.stringify({ eventType, payload }))
      metrics.telemetryEvent(eventType)
      const feeds = channel === TELEMETRY_CHANNEL ? stream : activity
      traffic.count(feeds[0]!)
      delivery.publish(feeds, { text })
      if (subscribers.size === 0) return
      broadcast.publish(topicsOfEvent(about, eventType), text)
      lastRound = broadcast.round
    },
    /** True while events of the bus are on their way to the subscribers of the telemetry server. */
    isSending: (): boolean => !broadcast.isSent(lastRound),
    /** Passes on what a client of the bus sends; `invalid_telemetry`. */
    fromClient(client: Client, envelope: ParsedEnvelope): void {
      requireGrant(client.identity, 'publish', TELEMETRY_ROOM, TELEMETRY_CHANNEL)
      const recipients = relay(envelope, client.echo ? undefined : client)
      if (isAcknowledged(envelope) || client.caller !== undefined) {
        const isTold = granted(client.identity, 'telemetry', TELEMETRY_ROOM, TELEMETRY_CHANNEL)
        replies.acknowledge(client, envelope.id, { ...outcome, recipients: isTold ? recipients : undefined }, stream)
      }
    },
    /** Passes on what a subscriber of the telemetry server sends; `invalid_telemetry`. */
    fromSubscriber(subscriber: TelemetrySubscriber, envelope: ParsedEnvelope): void {
      requireGrant(subscriber.identity, 'publish', TELEMETRY_ROOM, TELEMETRY_CHANNEL)
      const recipients = relay(envelope, undefined, subscriber.echo ? undefined : subscriber)
      if (isAcknowledged(envelope))
        broadcast.send(subscriber, frames.acknowledgement(envelope.id, { ...outcome, recipients }))
    },
  }
}

/** What an acknowledgement says of an event: no log has it. */
const outcome = { position: null, durability: 'memory', duplicate: false } as const

const isAcknowledged = ({ metadata }: ParsedEnvelope): boolean => metadata?.ack !== undefined && metadata.ack !== false

/** What is wrong with the address of an event: telemetry has one channel. */
function faultsOfAddress({ room, channel }: ParsedEnvelope): Fault[] {
  const faults: Fault[] = []
  if (room !== TELEMETRY_ROOM) faults.push({ path: '/room', expected: TELEMETRY_ROOM })
  if (channel !== TELEMETRY_CHANNEL) faults.push({ path: '/channel', expected: TELEMETRY_CHANNEL })
  return faults
}
