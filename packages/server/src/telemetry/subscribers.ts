/** Who listens at the telemetry server, and to what. */
import { DASHBOARD_CHANNEL, TELEMETRY_CHANNEL, TELEMETRY_ROOM } from '@arqonbus/protocol'
import { granted } from '../auth/access.ts'
import type { Identity } from '../auth/identity.ts'
import type { Account } from '../limits/accounts.ts'
import type { Profile } from '../state/model.ts'
import type { Transport } from '../state/transport.ts'

const telemetryChannels = [TELEMETRY_CHANNEL, DASHBOARD_CHANNEL] as const

/** A channel of telemetry. */
export type TelemetryChannel = (typeof telemetryChannels)[number]

/** The channels whose events an identity may be told. */
export const permittedChannels = (identity: Identity): readonly TelemetryChannel[] =>
  telemetryChannels.filter((channel) => granted(identity, 'telemetry', TELEMETRY_ROOM, channel))

/** A connection to the telemetry server. */
export type TelemetrySubscriber = {
  readonly id: string
  /** Who it has proved to be. */
  readonly identity: Identity
  readonly profile: Profile
  /** Whether it hears its own events too. */
  readonly echo: boolean
  /** Wall time. */
  readonly connectedAt: number
  /** When it connected, in running time. */
  readonly connectedAtMonotonic: number
  /** Where it comes from, for the log. */
  readonly address: string
  /** To whom its rate is counted: a client of the bus and a subscriber of one id have the same. */
  readonly account: Account
  /** The channels whose events it is told. */
  readonly channels: readonly TelemetryChannel[]
  /** What it hears of them. */
  readonly topics: ReadonlySet<string>
  /**
   * Those of one lane are given at once; one lane after the other, so that many subscribers do not hold up the bus at
   * one time.
   */
  readonly lane: number
  readonly transport: Transport
  /** The last sign of life, in running time. */
  lastHeard: number
  /**
   * Since when it does not keep up, in running time, and how many events it was not given; undefined where it keeps up.
   */
  lag: { readonly since: number; missed: number } | undefined
  isClosing: boolean
}

/** The subscribers. */
export type TelemetrySubscribers = ReturnType<typeof createTelemetrySubscribers>

/** So many are given at once: a write to a socket takes 5 to 10 µs. */
const LANE_SIZE = 12

/** No subscribers. */
export function createTelemetrySubscribers() {
  const byId = new Map<string, TelemetrySubscriber>()
  const byTopic = new Map<string, number>()
  const sizes: number[] = []
  const inLane = (topic: string, lane: number) => `${lane} ${topic}`
  const count = (topic: string, by: 1 | -1) => {
    const number = (byTopic.get(topic) ?? 0) + by
    if (number === 0) byTopic.delete(topic)
    else byTopic.set(topic, number)
  }
  return {
    get size(): number {
      return byId.size
    },
    has: (id: string): boolean => byId.has(id),
    add(subscriber: TelemetrySubscriber): void {
      byId.set(subscriber.id, subscriber)
      subscriber.account.clients++
      sizes[subscriber.lane] = (sizes[subscriber.lane] ?? 0) + 1
      for (const topic of subscriber.topics) for (const one of [topic, inLane(topic, subscriber.lane)]) count(one, 1)
    },
    remove(subscriber: TelemetrySubscriber): void {
      if (byId.get(subscriber.id) !== subscriber) return
      byId.delete(subscriber.id)
      subscriber.account.clients--
      sizes[subscriber.lane]!--
      for (const topic of subscriber.topics) for (const one of [topic, inLane(topic, subscriber.lane)]) count(one, -1)
    },
    all: (): Iterable<TelemetrySubscriber> => byId.values(),
    /** How many hear a topic, in all lanes or in one. */
    hearing: (topic: string, lane?: number): number =>
      byTopic.get(lane === undefined ? topic : inLane(topic, lane)) ?? 0,
    /** The lane that the next one belongs to: the first with room. */
    nextLane(): number {
      const free = sizes.findIndex((size) => size < LANE_SIZE)
      return free < 0 ? sizes.length : free
    },
    /** How many lanes there have been at most. */
    get lanes(): number {
      return sizes.length
    },
  }
}
