/**
 * Channels and rooms that are created during faults: each has one message, and all of them have to be found at the end.
 */
import type { Random } from '@arqonbus/testing'
import type { Record } from './record.ts'
import { until } from './until.ts'

/** Addresses of new channels. */
export type NewChannels = {
  /** An address that was never used before. */
  next(): string
  /** Waits until a subscriber of the whole room has the messages of its new channels. */
  reached(clientId: string): Promise<void>
}

/** A room with more than a thousand channels cannot be recovered as a whole. */
const MOST_IN_ROOM = 300
const ROOMS = 10

/** Creates addresses in the room of the load and in others. */
export function createNewChannels(record: Record, random: Random, room: string): NewChannels {
  let count = 0
  let inRoom = 0
  const positions = () =>
    record.history.flatMap((seen) =>
      seen.f === 'publish' && seen.type === 'ok' && seen.position !== undefined
        ? [[seen.channel, seen.position] as const]
        : [],
    )
  return {
    next() {
      const name = `born-${++count}`
      if (random.chance(30) && inRoom++ < MOST_IN_ROOM) return `${room}:${name}`
      return random.chance(20) ? `${name}:*` : `born-in-${random.below(ROOMS)}:${name}`
    },
    async reached(clientId) {
      const born = positions().filter(([address]) => address.startsWith(`${room}:born-`))
      const late = () => born.filter(([address, position]) => !record.hasReached(clientId, address, position))
      await until(`new channels of ${room} to reach ${clientId}`, () => late().length === 0)
    },
  }
}
