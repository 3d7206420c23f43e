/** Distinguishes connections that take nothing of what waits for them from slow ones. */
import type { Clock } from '../kit/clock.ts'
import type { Client } from '../state/model.ts'

/** Watches connections for which something waits. */
export type Standstill = {
  /** Looks at a connection; true where nothing of what waits for it has left for too long. */
  isTooLong(client: Client): boolean
}

/** What was seen of a connection: the bytes that waited, how much had left the system, and since when neither moves. */
type Seen = { bytes: number; left: number; since: number }

/** Nothing may leave for `mostMs`. */
export function createStandstill(clock: Pick<Clock, 'monotonic'>, mostMs: number): Standstill {
  const seen = new WeakMap<Client, Seen>()
  return {
    isTooLong(client) {
      const { transport } = client
      const bytes = transport.bufferedBytes()
      const now = clock.monotonic()
      const before = seen.get(client)
      if (before === undefined) {
        seen.set(client, { bytes, left: transport.flow().left, since: now })
        return false
      }
      // What is added meanwhile is no sign of standing still: what has left shows at the next look.
      if (bytes < before.bytes) before.since = now
      before.bytes = bytes
      if (now - before.since <= mostMs) return false
      // The buffer here moves in leaps. Before a connection is closed, the system is asked what has left its own.
      const { left } = transport.flow()
      const isMoving = left > before.left
      Object.assign(before, { left, ...(isMoving && { since: now }) })
      return !isMoving
    },
  }
}
