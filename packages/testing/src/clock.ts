/** A clock that stands until a test moves it: what takes hours takes no time, and the same time in every run. */

/** A clock with hands. */
export type TestClock = {
  /** Wall time, in milliseconds since 1970. */
  now(): number
  /** Running time, in milliseconds. */
  monotonic(): number
  /** The running time at which the process was frozen last. */
  thawedAt(): number
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
  let thawedAt = Number.NEGATIVE_INFINITY
  return {
    now: () => now,
    monotonic: () => running,
    thawedAt: () => thawedAt,
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
      thawedAt = running
    },
  }
}
