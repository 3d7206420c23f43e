/** What nobody uses any more is let go: sessions, inboxes, empty channels and rooms (protocol §4, §6). */
import type { Clock } from '../../kit/clock.ts'
import { isIdle } from '../../state/idle.ts'
import type { Inboxes } from '../../state/inboxes.ts'
import type { Rooms } from '../../state/rooms.ts'
import type { Sessions } from '../../state/sessions.ts'

/** What is swept. */
export type SweepDeps = {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly log: { sweep(): void }
  readonly rooms: Rooms
  readonly sessions: Sessions
  readonly inboxes: Inboxes
  readonly keeper: { sweep(now: number): void } | undefined
  /** How long nobody uses what is let go, in milliseconds. */
  readonly channelIdleMs: number
}

/** Makes the function that sweeps once. */
export function createSweep({ clock, log, rooms, sessions, inboxes, keeper, channelIdleMs }: SweepDeps): () => void {
  return () => {
    const now = clock.monotonic()
    log.sweep()
    sessions.sweep(now)
    keeper?.sweep(now)
    inboxes.sweep(sessions.get)
    for (const channel of rooms.channels()) {
      if (isIdle(channel, now, channelIdleMs) && channel.log?.isEmpty() !== false) rooms.letGo(channel)
    }
    for (const room of rooms.all()) if (now - room.lastUsed >= channelIdleMs) rooms.dropIfUnused(room)
  }
}
