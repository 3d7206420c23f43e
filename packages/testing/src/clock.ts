/** A clock that stands until a test moves it: what takes hours takes no time, and the same time in every run. */

/** A clock with hands. */
export type TestClock = {
  /** Wall time, in milliseconds since 1970. */
  now(): number
  /** Running time, in milliseconds. */
  monotonic(): number
  /** When the process was frozen last, in running time, and for how long. */
  thaw(): { readonly at: number; readonly frozenMs: number }
  /** The wall time of a moment of `monotonic`. */
  wallOf(at: number): number
  /** Lets so many milliseconds pass. */
  advance(ms: number): void
  /** Sets the wall clock by so many milliseconds, ahead or back: no time passes. */
  step(ms: number): void
  /** Freezes the process for so many milliseconds: they pass outside of it. */
  freeze(ms: number): void
}

/** Makes one; it begins at a moment that is easy to recognise. */
export function testClock(start = Date.parse('2026-01-02T03:04:05.006Z')): TestClock {
  let now = start
  let running = 0
  let thaw = { at: Number.NEGATIVE_INFINITY, frozenMs: 0 }
  return {
    now: () => now,
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
