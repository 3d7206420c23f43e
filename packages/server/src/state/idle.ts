/** Which channels may go by themselves: auto-created, without participants, and idle for long enough (docs/protocol.md#rooms-and-channels). */
import { Heap } from '../kit/heap.ts'
import type { Channel } from './model.ts'

/** True for a channel that holds nothing but history. */
export const isIdle = (channel: Channel, now: number, idleMs: number): boolean =>
  mayGo(channel) && !isHeard(channel) && now - channel.lastUsed >= idleMs

const isHeard = ({ participants, outlet }: Channel): boolean => participants.size > 0 || outlet.listeners > 0

/** The longest idle channel, or in how many milliseconds there may be one. */
export type Longest = Channel | { readonly retryAfterMs: number }

/** Finds the longest idle channel without a look at all of them. */
export type IdleChannels = {
  /** A channel was made. */
  add(channel: Channel): void
  /** A channel has ended. */
  removed(channel: Channel): void
  longest(): Longest
}

/** What it needs. */
export type IdleDeps = {
  readonly now: () => number
  readonly idleMs: number
}

/** So many channels that were used since they were last looked at are looked at again for one that is to go: the next request goes on from there. */
const MOST_RENEWED = 512
const SOON_MS = 10

/** Channels that have ended are dropped from the heap when there are so many, and they are half of it. */
const FEW_ENDED = 64

const mayGo = ({ autoCreated, hardcoded }: Channel): boolean => autoCreated && !hardcoded

/**
 * A heap by the last use as it was when a channel was last looked at. Uses only move forward, so a stale key at the top is renewed and sinks: publishing
 * costs nothing, and each channel is looked at once in the time after which it may go.
 */
export function createIdleChannels({ now, idleMs }: IdleDeps): IdleChannels {
  const heap = new Heap<Channel>()
  /** Channels of the heap that have ended. */
  let ended = 0

  return {
    add(channel) {
      if (mayGo(channel)) heap.add(channel, channel.lastUsed)
    },
    removed(channel) {
      if (!mayGo(channel) || ++ended < FEW_ENDED || 2 * ended < heap.size) return
      heap.keep(({ ended }) => ended === undefined)
      ended = 0
    },
    longest() {
      const time = now()
      for (let renewed = 0; renewed < MOST_RENEWED; ) {
        const { top } = heap
        if (top === undefined) return { retryAfterMs: Math.max(SOON_MS, idleMs) }
        const { item: channel, key } = top
        if (channel.ended !== undefined) {
          heap.removeTop()
          ended--
          continue
        }
        if (time - key < idleMs) return { retryAfterMs: Math.max(SOON_MS, Math.ceil(key + idleMs - time)) }
        if (isIdle(channel, time, idleMs) && channel.lastUsed <= key) return channel
        heap.renewTop(isHeard(channel) ? time : Math.max(key, channel.lastUsed))
        renewed++
      }
      return { retryAfterMs: SOON_MS }
    },
  }
}
