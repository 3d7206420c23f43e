/** A clock that stands until a test moves it: what takes hours takes no time, and the same time in every run. */

/** A clock with hands. */
export type TestClock = {
  now(): number
  /** Lets so many milliseconds pass; a negative number sets it back. */
  advance(ms: number): void
}

/** Makes one; it begins at a moment that is easy to recognise. */
export function testClock(start = Date.parse('2026-01-02T03:04:05.006Z')): TestClock {
  let now = start
  return {
    now: () => now,
    advance(ms) {
      now += ms
    },
  }
}
