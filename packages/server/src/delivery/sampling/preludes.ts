/**
 * Preludes: what a subscription gets ahead of everything else, such as the snapshot of a channel
 * (docs/protocol.md#snapshots). The subscription stands where it was when the prelude was asked for, so that nothing is
 * missed in between.
 *
 * A few preludes are read, or wait for their readers, at a time: what they hold is bounded, and the rest waits in line.
 * A reader that takes nothing for a while loses the rest of its prelude.
 */
import { isTombstoneOf } from '@arqonbus/protocol'
import type { Clock } from '../../kit/clock.ts'
import type { FairQueue } from '../../kit/fair-queue.ts'
import { stackText } from '../../kit/text.ts'
import { type Every, whileNeeded } from '../../kit/timer.ts'
import type { Logger } from '../../observability/logger.ts'
import type { Metrics } from '../../observability/metrics.ts'
import type { Client, Subscription } from '../../state/model.ts'
import { LOW_WATER_BYTES, type SendBuffers } from '../send-buffers.ts'
import { type LogRange, type Newest, type NewestLimits, readNewest } from './newest.ts'

/** What preludes need. */
export type PreludesDeps = {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly every: Every
  readonly turns: Pick<FairQueue, 'run'>
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'delivered' | 'replayed' | 'limit'>
  readonly buffers: Pick<SendBuffers, 'limit'>
  readonly limits: NewestLimits
}

/** What a prelude is made of. */
export type NewPrelude = {
  /** Where the newest message of each key is read. */
  readonly ranges: readonly LogRange[]
  /** What goes ahead of those messages. */
  readonly first?: readonly string[]
  /** Writes the notice behind them; undefined where there is none. */
  readonly notice: (messages: number, isComplete: boolean) => string | undefined
}

/** Preludes that are read, or held for their readers, at a time. */
export const MOST_HELD = 32
/** A reader that takes nothing for so long loses the rest. */
const STALLED_MS = 10_000
const LOOK_EVERY_MS = 1000

type Prelude = NewPrelude & {
  readonly subscription: Subscription
  /** What is to be sent, once it was read. */
  texts: readonly string[] | undefined
  next: number
  /** When something of it was sent last, in running time. */
  movedAt: number
  /** True while it is one of those that are read or held. */
  isHeld: boolean
}

/** The preludes of all subscriptions. */
export class Preludes {
  readonly #deps: PreludesDeps
  readonly #preludes = new Map<Subscription, Prelude>()
  readonly #waiting = new Set<Prelude>()
  readonly #ticks: { wake(): void; stop(): void }
  #held = 0
  #onReady: ((client: Client) => void) | undefined

  constructor(deps: PreludesDeps) {
    this.#deps = deps
    this.#ticks = whileNeeded(deps.every, LOOK_EVERY_MS, () => {
      this.#endStalled()
      return this.#preludes.size > 0
    })
  }

  /** Calls `ready` with each client for whose subscriptions there is more to send: named once, at the start. */
  onReady(ready: (client: Client) => void): void {
    this.#onReady = ready
  }

  /** True where a subscription still waits for its prelude, or for a part of it. */
  has(subscription: Subscription): boolean {
    return this.#preludes.size > 0 && this.#preludes.has(subscription)
  }

  /** A subscription gets this before anything else. One that it had before is dropped. */
  begin(subscription: Subscription, wanted: NewPrelude): void {
    this.forget(subscription)
    const movedAt = this.#deps.clock.monotonic()
    const prelude: Prelude = { ...wanted, subscription, texts: undefined, next: 0, movedAt, isHeld: false }
    this.#preludes.set(subscription, prelude)
    this.#waiting.add(prelude)
    this.#ticks.wake()
    this.#readMore()
  }

  /** Sends a subscription as much of its prelude as its connection takes; true where nothing of it is left. */
  advance(subscription: Subscription): boolean {
    if (this.#preludes.size === 0) return true
    const prelude = this.#preludes.get(subscription)
    if (prelude === undefined) return true
    const { texts } = prelude
    if (texts === undefined) return false
    const { metrics, buffers, clock } = this.#deps
    const { transport } = subscription.client
    while (prelude.next < texts.length) {
      if (transport.bufferedBytes() >= buffers.limit(LOW_WATER_BYTES)) return false
      transport.send(texts[prelude.next++]!)
      prelude.movedAt = clock.monotonic()
      metrics.delivered++
      metrics.replayed++
    }
    this.forget(subscription)
    return true
  }

  /** A subscription has ended, or lacks nothing of its prelude. */
  forget(subscription: Subscription): void {
    if (this.#preludes.size === 0) return
    const prelude = this.#preludes.get(subscription)
    if (prelude === undefined) return
    this.#preludes.delete(subscription)
    this.#waiting.delete(prelude)
    this.#release(prelude)
  }

  /** A message was deleted: whoever does not have it yet gets its tombstone. */
  redact(tombstone: string): void {
    for (const prelude of this.#preludes.values())
      prelude.texts = prelude.texts?.map((text) => (isTombstoneOf(tombstone, text) ? tombstone : text))
  }

  /** Ends the tick. */
  stop(): void {
    this.#ticks.stop()
  }

  #release(prelude: Prelude): void {
    if (!prelude.isHeld) return
    prelude.isHeld = false
    this.#held--
    this.#readMore()
  }

  #readMore(): void {
    for (const prelude of this.#waiting) {
      if (this.#held >= MOST_HELD) return
      this.#waiting.delete(prelude)
      prelude.isHeld = true
      this.#held++
      void this.#read(prelude)
    }
  }

  async #read(prelude: Prelude): Promise<void> {
    const { turns, limits, metrics } = this.#deps
    const { subscription, ranges, first = [], notice } = prelude
    const isWanted = () => this.#preludes.get(subscription) === prelude
    const newest = await readNewest(ranges, { turns, limits, isWanted }).catch((problem) => this.#failed(problem))
    if (!isWanted()) return
    for (const limit of newest.reached) metrics.limit(limit)
    prelude.texts = [...first, ...newest.texts, ...listOf(notice(newest.texts.length, newest.isComplete))]
    prelude.movedAt = this.#deps.clock.monotonic()
    this.#onReady?.(subscription.client)
  }

  #failed(problem: unknown): Newest {
    this.#deps.logger.error({ event: 'snapshot_failed', stack: stackText(problem) })
    return { texts: [], isComplete: false, reached: new Set() }
  }

  /** What a stopped reader does not take is not held for it. It still gets the notice, which says so. */
  #endStalled(): void {
    const before = this.#deps.clock.monotonic() - STALLED_MS
    for (const prelude of this.#preludes.values()) {
      const { texts, next, notice, movedAt } = prelude
      if (texts === undefined || movedAt > before || !prelude.isHeld) continue
      this.#release(prelude)
      if (next >= texts.length - 1) continue
      prelude.texts = listOf(notice(next, false))
      prelude.next = 0
    }
  }
}

const listOf = (text: string | undefined): string[] => (text === undefined ? [] : [text])
