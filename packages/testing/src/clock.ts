/** A clock that a test advances: hours take no time, and every run has the same times. */

/** A clock with operations that change its time. */
export type TestClock = {
  /** Wall time, in milliseconds since 1970. */
  now(): number
  /** The same: reading this clock costs nothing. */
  nowAt(at: number): number
  /** Running time, in milliseconds. */
  monotonic(): number
  /** When the process was last frozen, in running time, and for how long. */
  thaw(): { readonly at: number; readonly frozenMs: number }
  /** The wall time of a value of `monotonic`. */
  wallOf(at: number): number
  /** Advances the time by `ms`. */
  advance(ms: number): void
  /** Steps the wall clock by `ms`, forwards or backwards: no time passes. */
  step(ms: number): void
  /** Freezes the process for `ms`: the time passes outside of it. */
  freeze(ms: number): void
}

/** Creates a test clock; its default start time is easy to recognise. */
export function testClock(start = Date.parse('2026-01-02T03:04:05.006Z')): TestClock {
  let now = start
  let running = 0
  let thaw = { at: Number.NEGATIVE_INFINITY, frozenMs: 0 }
  return {
    now: () => now,
    nowAt: () => now,
    monotonic: () => running,
    thaw: () => thaw,
    wallOf: (at) => now - (running - at),
    advance(ms) {
      now += ms
      running += ms
    },
    step(ms) {
      now += ms
    },
    freeze(ms) {
      now += ms
      thaw = { at: running, frozenMs: ms }
    },
  }
}
