/** Tells connections that take nothing of what waits for them from those that are slow. */
import type { Clock } from '../../kit/clock.ts'
import type { Client } from '../../state/model.ts'

/** Watches connections for which something waits. */
export type Standstill = {
  /** Looks at a connection; true where nothing of what waits for it has left for too long. */
  isTooLong(client: Client): boolean
}

/** Nothing may leave for `mostMs`. */
export function createStandstill(clock: Pick<Clock, 'monotonic'>, mostMs: number): Standstill {
  const seen = new WeakMap<Client, { bytes: number; since: number }>()
  return {
    isTooLong(client) {
      const bytes = client.transport.bufferedBytes()
      const now = clock.monotonic()
      const before = seen.get(client)
      if (before === undefined) {
        seen.set(client, { bytes, since: now })
        return false
      }
      // What is added meanwhile is no sign of standing still: what has left shows at the next look.
      if (bytes < before.bytes) before.since = now
      before.bytes = bytes
      return now - before.since > mostMs
    },
  }
}
