import type { Clock } from '../../src/clock.ts'

/** A clock that stands still until it is moved. */
export type ManualClock = Clock & {
  /** Moves on, and calls what falls due on the way, each at its own time. */
  advance(ms: number): void
  /** Timers that are running. */
  timers(): number
}

/** Makes one, at a time of its own. */
export function createManualClock(): ManualClock {
  const timers = new Set<{ at: number; then: () => void }>()
  let now = 1_700_000_000_000

  return {
    now: () => now,
    after(ms, then) {
      const timer = { at: now + ms, then }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    advance(ms) {
      const end = now + ms
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)
        if (next === undefined) break
        timers.delete(next)
        now = Math.max(now, next.at)
        next.then()
      }
      now = end
    },
    timers: () => timers.size,
  }
}
