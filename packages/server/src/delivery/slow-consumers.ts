/**
 * Slow consumers: a connection whose send buffer is full goes on from the log, and the largest are closed where the
 * memory for all buffers is used up. The owners of connections report them (`limits/send-buffer-watch.ts`).
 */
import type { BufferLimits, BufferReport } from '../limits/send-buffer-watch.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Client, Subscription } from '../state/model.ts'
import { allSubscriptions } from '../state/subscription.ts'
import type { CatchUp } from './catch-up.ts'
import type { Closing } from './closing.ts'
import type { LiveSubscriptions } from './live.ts'
import type { SendBuffers } from './send-buffers.ts'

/** What looking after them needs. */
type SlowConsumersDeps = {
  readonly metrics: Pick<Metrics, 'slowFallbacks' | 'limit'>
  /** The soft limit of one connection, in bytes. */
  readonly sendBufferSoftLimit: number
  /** The bound on all buffers together, and how far it lowers the soft limit. */
  readonly buffers: SendBuffers
  /** Bytes that are kept for connections that catch up. */
  readonly keptBytes: () => number
  /** All connected clients. */
  readonly clients: () => Iterable<Client>
  readonly live: Pick<LiveSubscriptions, 'cursorsOf'>
  readonly catchUp: Pick<CatchUp, 'begin'>
  readonly closing: Closing
  /** Called with each client that does not read fast enough to stay live. */
  readonly slow: (client: Client, what: 'behind') => void
}

/** One report moves subscriptions with so many logs to catch-up: the next one has the rest. */
const MOST_MOVED = 10_000

/** Connections that one report closes at most. */
const MOST_CLOSED = 100

/**
 * This share of the soft limit may be sent between two looks, so that no connection gets from there to the hard limit
 * unseen.
 */
export const UNSEEN_SHARE = 1 / 4

/** Looks after slow consumers. */
export class SlowConsumers {
  readonly #deps: SlowConsumersDeps
  readonly #measuredKept: (bytes: number) => void
  /** What the owners of connections watch for. */
  readonly limits: BufferLimits

  constructor(deps: SlowConsumersDeps) {
    const { buffers, sendBufferSoftLimit } = deps
    this.#deps = deps
    this.#measuredKept = buffers.source()
    this.limits = {
      softLimit: () => buffers.limit(sendBufferSoftLimit),
      unseenBytes: sendBufferSoftLimit * UNSEEN_SHARE,
      unseenBytesOfAll: buffers.unseenBytes,
    }
  }

  /** Adds an owner of connections, and returns what takes its reports. */
  addOwner(): BufferReport<Client> {
    const measured = this.#deps.buffers.source()
    return (bytes, full) => {
      measured(bytes)
      this.#full(full)
    }
  }

  /** So much waits for these subscriptions that they have to catch up from the logs. */
  overrun(subscriptions: readonly Subscription[]): void {
    for (const subscription of subscriptions) this.#moveToCatchUp(subscription)
  }

  /** Moves clients to catch-up, and closes the largest where too much waits for all. */
  #full(clients: readonly Client[]): void {
    const { buffers, keptBytes } = this.#deps
    let moved = 0
    for (const client of clients) if (!client.isClosing && moved < MOST_MOVED) moved += this.#moveAll(client)
    this.#measuredKept(keptBytes())
    if (buffers.excess > 0) this.#closeLargest(buffers.excess)
  }

  /** Moves all live subscriptions of a client to catch-up. Returns how many logs they have. */
  #moveAll(client: Client): number {
    const { metrics, slow } = this.#deps
    let logs = 0
    for (const subscription of allSubscriptions(client))
      if (subscription.state === 'live') logs += 1 + this.#moveToCatchUp(subscription)
    if (logs > 0) {
      metrics.slowFallbacks++
      slow(client, 'behind')
    }
    return logs
  }

  #moveToCatchUp(subscription: Subscription): number {
    const cursors = this.#deps.live.cursorsOf(subscription)
    this.#deps.catchUp.begin(subscription, cursors)
    return cursors.size
  }

  /**
   * The memory for all buffers is used up: closes the connections that take most of it. Those that were closed before
   * have had their time to read.
   */
  #closeLargest(excess: number): void {
    const { clients, closing, metrics } = this.#deps
    let left = closing.terminate(excess)
    if (left <= 0) return
    const largest = [...clients()]
      .map((client) => ({ client, bytes: client.transport.bufferedBytes() }))
      .filter(({ client, bytes }) => bytes > 0 && !client.isClosing)
      .sort((a, b) => b.bytes - a.bytes)
    for (const { client, bytes } of largest.slice(0, MOST_CLOSED)) {
      if (left <= 0) return
      left -= bytes
      metrics.limit('send_buffer_bytes')
      closing.closeSlow(client, { queue_bytes: bytes })
    }
  }
}
