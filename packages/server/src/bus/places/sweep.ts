/** What nobody uses any more is let go: sessions, inboxes, empty channels and rooms (protocol §4, §6). */
import type { Clock } from '../../kit/clock.ts'
import type { Pieces, Turns } from '../../kit/turns.ts'
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
  readonly turns: Turns
  /** How long nobody uses what is let go, in milliseconds. */
  readonly channelIdleMs: number
}

/** A sweep looks at so many channels at least, and at a share of all of them: each is looked at within a few seconds. */
const FEW_CHANNELS = 2000
const SHARE = 4

/** Work in pieces goes on for so many steps. */
const STEPS = 64

/** Makes the function that sweeps once. */
export function createSweep(deps: SweepDeps): () => void {
  const { clock, log, rooms, sessions, inboxes, keeper, turns } = deps
  /** The number of the channel that was looked at last. */
  let last = 0
  let isSweeping = false

  function* sweepChannels(now: number): Pieces<void> {
    const most = FEW_CHANNELS + rooms.channelCount / SHARE
    let looked = 0
    for (const channel of rooms.channelsAfter(last)) {
      if (looked++ >= most) return
      last = channel.seq
      if (isIdle(channel, now, deps.channelIdleMs) && channel.log?.isEmpty() !== false) rooms.letGo(channel)
      if (looked % STEPS === 0) yield
    }
    last = 0
  }
  function* sweepRooms(now: number): Pieces<void> {
    for (const room of rooms.all()) {
      if (now - room.lastUsed < deps.channelIdleMs || room.channels.size > 0) continue
      rooms.dropIfUnused(room)
      yield
    }
  }
  function* sweepPlaces(now: number): Pieces<void> {
    isSweeping = true
    yield* sweepChannels(now)
    yield* sweepRooms(now)
    isSweeping = false
  }

  return () => {
    const now = clock.monotonic()
    log.sweep()
    sessions.sweep(now)
    keeper?.sweep(now)
    inboxes.sweep(sessions.get)
    if (!isSweeping) void turns.run(() => sweepPlaces(now))
  }
}
