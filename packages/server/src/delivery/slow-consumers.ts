/**
 * Finds slow consumers: a connection whose send buffer passes the soft limit goes on from the log, and the largest are
 * closed where the memory for all buffers is used up.
 *
 * `publish` says only that some socket could not take a text at once. From then on all connections are looked at, at
 * short intervals, and once a second anyway.
 */
import type { Clock } from '../kit/clock.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Client, Subscription } from '../state/model.ts'
import { allSubscriptions } from '../state/subscription.ts'
import type { CatchUp } from './catch-up.ts'
import type { Closing } from './closing.ts'
import type { FanOutWatcher } from './fan-out.ts'
import type { LiveSubscriptions } from './live.ts'
import type { SendBuffers } from './send-buffers.ts'

/** What finding them needs. */
export type SlowConsumersDeps = {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly metrics: Pick<Metrics, 'delivered' | 'bytesOut' | 'slowFallbacks' | 'limit'>
  /** The soft limit of one connection, in bytes. */
  readonly sendBufferSoftLimit: number
  /** The bound on all buffers together, and how far it lowers the soft limit. */
  readonly buffers: SendBuffers
  /** Bytes that wait elsewhere: for peers that are not clients, or for several at once. */
  readonly otherBytes: () => number
  /** All connected clients. */
  readonly clients: () => Iterable<Client>
  readonly live: Pick<LiveSubscriptions, 'cursorsOf'>
  readonly catchUp: Pick<CatchUp, 'begin'>
  readonly closing: Closing
  /** Called with each client that does not read fast enough to stay live. */
  readonly slow: (client: Client, what: 'behind') => void
}

/** A connection in pressure is looked for at least this often while some socket does not keep up. */
const LOOK_EVERY_MS = 50

/** One look moves subscriptions with so many logs to catch-up: the next look finds the rest. */
const MOST_MOVED = 10_000

/** Connections that one look closes at most. */
const MOST_CLOSED = 100

/**
 * This share of the soft limit may be sent between two looks, so that no connection gets from there to the hard limit
 * unseen.
 */
export const UNSEEN_SHARE = 1 / 4

/** Finds slow consumers. */
export class SlowConsumers implements FanOutWatcher {
  readonly #deps: SlowConsumersDeps
  readonly #lookEveryBytes: number
  /**
   * Bytes that were late since the last look, of one copy of each text, and of all copies: every subscriber may be a
   * slow one.
   */
  #bytesUnseen = 0
  #copiesUnseen = 0
  #isLate = false
  #lookedAt = 0
  /** What was sent until the last look by the clock, and whether it showed that nothing waits. */
  #sent = -1
  #isQuiet = false

  constructor(deps: SlowConsumersDeps) {
    this.#deps = deps
    this.#lookEveryBytes = deps.sendBufferSoftLimit * UNSEEN_SHARE
  }

  late(text: string, subscribers: number): void {
    const bytes = Buffer.byteLength(text)
    this.#isLate = true
    this.#bytesUnseen += bytes
    this.#copiesUnseen += bytes * subscribers
  }

  lookIfLate(): void {
    if (!this.#isLate) return
    this.#isLate = false
    const { buffers, clock } = this.#deps
    const isMuch = this.#bytesUnseen >= this.#lookEveryBytes || this.#copiesUnseen >= buffers.unseenBytes
    if (isMuch || clock.monotonic() - this.#lookedAt >= LOOK_EVERY_MS) this.#look()
  }

  /**
   * A look by the clock. Where nothing was sent between two of them, and nothing waited at the second, nothing waits
   * until something is sent: the clients need not be asked. One look is not enough, because the runtime writes what was
   * published when the tick is over.
   */
  lookByClock(): void {
    const { metrics, buffers, otherBytes } = this.#deps
    const before = this.#sent
    this.#sent = metrics.delivered + metrics.bytesOut
    if (this.#sent !== before) {
      this.#isQuiet = false
      this.#look()
    } else if (this.#isQuiet) buffers.measured(otherBytes())
    else this.#isQuiet = this.#look() === 0
  }

  overrun(subscriptions: readonly Subscription[]): void {
    for (const subscription of subscriptions) this.#moveToCatchUp(subscription)
  }

  /**
   * Moves clients to catch-up for which too much waits, and adds up what waits for all. Returns the bytes that wait for
   * clients.
   */
  #look(): number {
    const { clock, buffers, clients, closing, otherBytes } = this.#deps
    this.#bytesUnseen = 0
    this.#copiesUnseen = 0
    this.#lookedAt = clock.monotonic()
    const limit = buffers.limit(this.#deps.sendBufferSoftLimit)
    let bytes = 0
    let moved = 0
    for (const client of clients()) {
      if (client.isClosing) continue
      const waiting = client.transport.bufferedBytes()
      bytes += waiting
      if (waiting > limit && moved < MOST_MOVED) moved += this.#moveAll(client)
    }
    bytes += closing.bufferedBytes()
    buffers.measured(otherBytes() + bytes)
    if (buffers.excess > 0) this.#closeLargest(buffers.excess)
    return bytes
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
