/**
 * Which channels are removed without a command: auto-created, without participants, and idle for long enough
 * (docs/protocol.md#rooms-and-channels).
 */
import { Heap } from '../kit/heap.ts'
import type { Account } from '../limits/accounts.ts'
import type { Channel } from './model.ts'

/** The longest idle channel, or in how many milliseconds there may be one. */
type Longest = Channel | { readonly retryAfterMs: number }

/** Finds idle channels without a look at all of them. */
export type IdleChannels = ReturnType<typeof createIdleChannels>

/** Channels in use that one search for an idle one passes over at most: the next search continues from there. */
const MOST_RENEWED = 512
const SOON_MS = 10

/**
 * History may leave before its time, where all channels together hold too much: a channel that has some is looked at as
 * often as this.
 */
const LOOK_AGAIN_MS = 600_000

/** Channels that have ended are dropped from a heap once there are this many, and they are half of it. */
const FEW_ENDED = 64

const mayGo = ({ autoCreated, hardcoded }: Channel): boolean => autoCreated && !hardcoded

const isHeard = ({ participants, feed }: Channel): boolean => participants.size > 0 || feed.subscribers > 0

/**
 * Two kinds of heaps: by the last use, and by the moment before which a channel cannot be unused, both as they were when a
 * channel was last looked at. Both only move forward, so a stale key at the top is renewed and sinks: publishing costs
 * nothing, and a channel is looked at once in the time after which it may go, or when its history ends, where that is
 * later.
 */
export function createIdleChannels({ now, idleMs }: { readonly now: () => number; readonly idleMs: number }) {
  /** Those of each account: whose channel is evicted is decided first. */
  const byUse = new Map<Account | undefined, ChannelHeap>()
  const byEnd = new ChannelHeap()

  /** Before this moment a channel cannot be unused; it is now or earlier where it is. */
  const usedUntil = (channel: Channel, time: number): number => {
    if (isHeard(channel)) return time + Math.max(idleMs, SOON_MS)
    const idleAt = channel.lastUsed + idleMs
    if (channel.log?.isEmpty() !== false) return idleAt
    // A log whose head is not known yet has no answer.
    const heldMs = channel.log.emptyInMs() || Math.max(idleMs, SOON_MS)
    return Math.max(idleAt, time + Math.min(heldMs, LOOK_AGAIN_MS))
  }

  /** A channel is used for so long at least. */
  const leastMs = Math.max(SOON_MS, idleMs)

  return {
    leastMs,
    /** A channel was made. */
    add(channel: Channel): void {
      if (!mayGo(channel)) return
      byUse.getOrInsertComputed(channel.account, () => new ChannelHeap()).add(channel, channel.lastUsed)
      byEnd.add(channel, channel.lastUsed + idleMs)
    },
    /** A channel has ended. */
    removed(channel: Channel): void {
      if (!mayGo(channel)) return
      const own = byUse.get(channel.account)!
      own.ended()
      if (own.size === 0) byUse.delete(channel.account)
      byEnd.ended()
    },
    /** The channel of an account that has been idle longest, whatever it holds. */
    longest(account?: Account): Longest {
      const time = now()
      const own = byUse.get(account)
      if (own === undefined) return { retryAfterMs: leastMs }
      for (let renewed = 0; renewed < MOST_RENEWED; renewed++) {
        const channel = own.top
        if (channel === undefined) return { retryAfterMs: leastMs }
        const key = own.topKey
        if (time - key < idleMs) return { retryAfterMs: Math.max(SOON_MS, Math.ceil(key + idleMs - time)) }
        if (!isHeard(channel) && channel.lastUsed <= key) return channel
        own.renewTop(isHeard(channel) ? time : Math.max(key, channel.lastUsed))
      }
      return { retryAfterMs: SOON_MS }
    },
    /**
     * Checks the next channel that may be idle and empty by now. Returns the channel if it is, `in use` if it is not,
     * undefined if no channel is due.
     */
    nextUnused(time: number): Channel | 'in use' | undefined {
      const channel = byEnd.top
      if (channel === undefined || byEnd.topKey > time) return undefined
      const until = usedUntil(channel, time)
      if (until <= time) return channel
      byEnd.renewTop(until)
      return 'in use'
    },
  }
}

/** A heap of channels. Those that have ended are dropped when they come to the top, and when half of all have. */
class ChannelHeap {
  readonly #heap = new Heap<Channel>()
  /** Channels of the heap that have ended. */
  #ended = 0

  /** Channels that have not ended. */
  get size(): number {
    return this.#heap.size - this.#ended
  }

  add(channel: Channel, key: number): void {
    this.#heap.add(channel, key)
  }

  /** One of them has ended. */
  ended(): void {
    if (++this.#ended < FEW_ENDED || 2 * this.#ended < this.#heap.size) return
    this.#heap.keep(({ ended }) => ended === undefined)
    this.#ended = 0
  }

  /** The channel with the smallest key that has not ended. */
  get top(): Channel | undefined {
    for (let top = this.#heap.top; top !== undefined; top = this.#heap.top) {
      if (top.ended === undefined) return top
      this.#heap.removeTop()
      this.#ended--
    }
    return undefined
  }

  get topKey(): number {
    return this.#heap.topKey
  }

  renewTop(key: number): void {
    this.#heap.renewTop(key)
  }
}
