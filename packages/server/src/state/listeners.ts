/** Who listens at the telemetry server, and to what. */
import type { Profile } from './model.ts'
import type { Transport } from './transport.ts'

/** A connection to the telemetry server. */
export type Listener = {
  readonly id: string
  readonly profile: Profile
  /** Whether it hears its own events too. */
  readonly echo: boolean
  readonly connectedAt: number
  /** What it hears. */
  readonly topics: ReadonlySet<string>
  readonly transport: Transport
  /** The last sign of life. */
  lastHeard: number
  /** Since when it does not keep up, and how many events it was not given; undefined where it keeps up. */
  lag: { readonly since: number; missed: number } | undefined
  isClosing: boolean
}

/** The listeners. */
export type Listeners = {
  readonly size: number
  has(id: string): boolean
  add(listener: Listener): void
  remove(listener: Listener): void
  all(): Iterable<Listener>
  /** How many hear a topic. */
  hearing(topic: string): number
}

/** No listeners. */
export function createListeners(): Listeners {
  const byId = new Map<string, Listener>()
  const byTopic = new Map<string, number>()
  const count = (topic: string, by: 1 | -1) => {
    const number = (byTopic.get(topic) ?? 0) + by
    if (number === 0) byTopic.delete(topic)
    else byTopic.set(topic, number)
  }
  return {
    get size() {
      return byId.size
    },
    has: (id) => byId.has(id),
    add(listener) {
      byId.set(listener.id, listener)
      for (const topic of listener.topics) count(topic, 1)
    },
    remove(listener) {
      if (byId.get(listener.id) !== listener) return
      byId.delete(listener.id)
      for (const topic of listener.topics) count(topic, -1)
    },
    all: () => byId.values(),
    hearing: (topic) => byTopic.get(topic) ?? 0,
  }
}
