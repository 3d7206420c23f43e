/** Which channels may go by themselves: auto-created, without participants, and idle for long enough (protocol §4). */
import type { Channel } from './model.ts'

/** True for a channel that nobody would miss but for its history. */
export const isIdle = (channel: Channel, now: number, idleMs: number): boolean =>
  channel.autoCreated &&
  !channel.hardcoded &&
  channel.participants.size === 0 &&
  channel.outlet.listeners === 0 &&
  now - channel.lastUsed >= idleMs

/** The longest idle channels first. A scan finds a thousand at once, so that a flood of new names at the limit does not scan for each. */
export function createIdleQueue(channels: () => Iterable<Channel>, now: () => number, idleMs: number) {
  let queue: Channel[] = []
  let scannedAt = Number.NEGATIVE_INFINITY
  return (): Channel | undefined => {
    for (;;) {
      const next = queue.pop()
      if (next !== undefined) {
        if (isIdle(next, now(), idleMs) && next.room.channels.get(next.name) === next) return next
        continue
      }
      if (now() - scannedAt < RESCAN_MS) return undefined
      scannedAt = now()
      queue = [...channels()]
        .filter((channel) => isIdle(channel, now(), idleMs))
        .sort((a, b) => b.lastUsed - a.lastUsed)
        .slice(-MOST)
      if (queue.length === 0) return undefined
    }
  }
}

const MOST = 1000
const RESCAN_MS = 1000
