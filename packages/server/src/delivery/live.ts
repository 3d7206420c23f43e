/**
 * Subscriptions that lack nothing. A live one is in a topic of the runtime, and nothing of it is touched when a message
 * is delivered; one with a policy is sampled.
 */
import type { Position } from '@arqonbus/protocol'
import type { Log } from '../log/contract.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Cursors, Subscription } from '../state/model.ts'
import { headsOf, setState } from '../state/subscription.ts'
import type { FanOut } from './fan-out.ts'
import type { Preludes } from './sampling/preludes.ts'
import type { Sampling } from './sampling/sampling.ts'

/**
 * A subscription that ends still gets this many bytes of the messages that wait for it; if there are more, its client
 * continues from the log.
 */
const SETTLE_BYTES = 64 * 1024

/** What live subscriptions need. */
type LiveDeps = {
  readonly fanOut: FanOut
  readonly sampling: Pick<Sampling, 'enter' | 'leave'>
  readonly preludes: Pick<Preludes, 'forget'>
  readonly metrics: Pick<Metrics, 'delivered'>
}

/** Makes subscriptions live, and ends the delivery of them. */
export class LiveSubscriptions {
  readonly #fanOut: FanOut
  readonly #sampling: Pick<Sampling, 'enter' | 'leave'>
  readonly #preludes: Pick<Preludes, 'forget'>
  readonly #metrics: Pick<Metrics, 'delivered'>

  constructor({ fanOut, sampling, preludes, metrics }: LiveDeps) {
    this.#fanOut = fanOut
    this.#sampling = sampling
    this.#preludes = preludes
    this.#metrics = metrics
  }

  /** A subscription that lacks nothing becomes live, or sampled where it has a policy. */
  begin(subscription: Subscription): void {
    if (subscription.options?.delivery !== undefined) return this.#sampling.enter(subscription)
    this.#fanOut.enter(subscription)
    setState(subscription, 'live')
  }

  /** Gives a subscription cursors; one that is live leaves its topic. */
  toCursors(subscription: Subscription, cursors: Cursors): void {
    if (subscription.state === 'live') {
      this.#sendUnlogged(subscription)
      this.#fanOut.leave(subscription)
    }
    setState(subscription, cursors)
  }

  /**
   * Ends the delivery of a subscription. Returns its last state, with cursors where its client has yet to get something
   * from a log.
   */
  stop(subscription: Subscription): Subscription['state'] {
    const { state, client } = subscription
    if (state === 'off') return state
    this.#preludes.forget(subscription)
    if (state === 'sampled') return this.#stopSampled(subscription)
    const last = state === 'live' && !client.isClosing ? this.#settle(subscription) : state
    if (state === 'live') this.#fanOut.leave(subscription)
    setState(subscription, 'off')
    return last
  }

  /** The positions up to which a subscription has been delivered its logs. */
  cursorsOf(subscription: Subscription): Cursors {
    const { state, feed } = subscription
    if (typeof state === 'object') return state
    const cursors = headsOf(feed)
    const seen = new Set<Log>()
    for (const { log, ms, n } of this.#pendingEntries(subscription)) {
      if (seen.has(log)) continue
      seen.add(log)
      cursors.set(log, { ms, n: n - 1 })
    }
    return cursors
  }

  /** The position of the last message of one log that a subscription was sent. */
  positionOf(subscription: Subscription, log: Log): Position {
    const { state } = subscription
    if (typeof state === 'object') return state.get(log) ?? log.attachedAt
    for (const { log: other, ms, n } of this.#pendingEntries(subscription)) if (other === log) return { ms, n: n - 1 }
    return log.lastDelivered
  }

  /** The newest state that its client lacks goes out before it ends. */
  #stopSampled(subscription: Subscription): 'sampled' {
    let bytes = 0
    for (const text of this.#sampling.leave(subscription)) {
      bytes += text.length
      if (subscription.client.isClosing || bytes > SETTLE_BYTES) break
      subscription.client.transport.sendBehindPublished(text)
      this.#metrics.delivered++
    }
    return 'sampled'
  }

  /** Entries of logs that still wait for a live subscription, oldest first. */
  *#pendingEntries(subscription: Subscription): Iterable<{ log: Log; ms: number; n: number }> {
    if (subscription.state !== 'live') return
    for (const item of this.#fanOut.pending(subscription)) {
      if (item.kind === 'message' && item.log !== undefined) yield { log: item.log, ms: item.ms, n: item.n }
    }
  }

  /** What is in no log (a notice, or what a log has held that has ended) is not delivered by catching up. */
  #sendUnlogged(subscription: Subscription): void {
    let bytes = 0
    for (const item of this.#fanOut.pending(subscription)) {
      if (item.kind !== 'message' || item.log?.isClosed === false) continue
      bytes += item.text.length
      if (bytes > SETTLE_BYTES) return
      subscription.client.transport.sendBehindPublished(item.text)
    }
  }

  /** Sends what still waits for a live subscription; where that is too much, returns the cursors before it. */
  #settle(subscription: Subscription): 'live' | Cursors {
    const items = [...this.#fanOut.pending(subscription)]
    const bytes = items.reduce((sum, item) => sum + (item.kind === 'begin' ? 0 : item.text.length), 0)
    if (bytes > SETTLE_BYTES) return this.cursorsOf(subscription)
    for (const item of items) {
      if (item.kind !== 'message') continue
      subscription.client.transport.sendBehindPublished(item.text)
      this.#metrics.delivered++
    }
    return 'live'
  }
}
