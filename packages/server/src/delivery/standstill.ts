/** Distinguishes connections that take nothing of what waits for them from slow ones. */
import type { Clock } from '../kit/clock.ts'
import type { Client } from '../state/model.ts'

/** What was seen of a connection: the bytes that waited, how much had left the system, and since when neither moves. */
type Seen = { bytes: number; left: number; since: number }

/**
 * Creates the function that looks at a connection: true where nothing of what waits for it has left for more than
 * `mostMs`.
 */
export function createStandstill(clock: Pick<Clock, 'monotonic'>, mostMs: number): (client: Client) => boolean {
  const seen = new WeakMap<Client, Seen>()
  return (client) => {
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
  }
}
