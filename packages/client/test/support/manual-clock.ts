import type { Clock } from '../../src/clock.ts'

/** A clock whose time the test advances. */
export type ManualClock = Clock & {
  /** Advances the time, and runs each timer on the way at its own time. */
  advance(ms: number): void
  /** The number of running timers. */
  timers(): number
}

/** Creates a manual clock with its own start time. */
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
