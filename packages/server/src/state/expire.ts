/**
 * Removes what is not used any more: sessions, inboxes, empty channels and rooms (docs/protocol.md#rooms-and-channels,
 * docs/protocol.md#sessions).
 */
import type { Clock } from '../kit/clock.ts'
import type { FairQueue, Pieces } from '../kit/fair-queue.ts'
import type { Accounts } from '../limits/accounts.ts'
import type { IdleChannels } from './idle.ts'
import type { Inboxes } from './inboxes.ts'
import type { Rooms } from './rooms.ts'
import type { Sessions } from './sessions.ts'

/** What is swept. */
type SweepDeps = {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly log: { sweep(): void }
  readonly rooms: Pick<Rooms, 'letGo' | 'withoutChannels' | 'dropIfUnused'>
  readonly idle: Pick<IdleChannels, 'nextUnused'>
  readonly sessions: Sessions
  readonly inboxes: Inboxes
  readonly accounts: Pick<Accounts, 'sweep'>
  readonly persistence: { sweep(now: number): void } | undefined
  readonly turns: FairQueue
  /** How long a channel is idle before it is removed, in milliseconds. */
  readonly channelIdleMs: number
}

/** Steps of one piece of work. */
const STEPS = 64

/** Creates the function that sweeps once. */
export function createSweep(deps: SweepDeps): () => void {
  const { clock, log, rooms, idle, sessions, inboxes, accounts, persistence, turns } = deps
  let isSweeping = false

  function* sweepRoomsAndChannels(now: number): Pieces<void> {
    isSweeping = true
    let looked = 0
    for (let next = idle.nextUnused(now); next !== undefined; next = idle.nextUnused(now)) {
      if (next !== 'in use') rooms.letGo(next)
      if (++looked % STEPS === 0) yield
    }
    for (const room of rooms.withoutChannels()) {
      if (now - room.lastUsed >= deps.channelIdleMs) rooms.dropIfUnused(room)
      if (++looked % STEPS === 0) yield
    }
    isSweeping = false
  }

  return () => {
    const now = clock.monotonic()
    log.sweep()
    sessions.sweep(now)
    persistence?.sweep(now)
    inboxes.sweep(sessions.get)
    accounts.sweep()
    if (!isSweeping) void turns.run(() => sweepRoomsAndChannels(now))
  }
}
