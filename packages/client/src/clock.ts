/** Time and timers. A test passes its own and moves it by hand. */
export type Clock = {
  /** Milliseconds since 1970. */
  now(): number
  /** Calls `then` once after `ms`; the returned function takes that back. */
  after(ms: number, then: () => void): () => void
}

/** The time of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, then) {
    const timer = setTimeout(then, ms)
    return () => clearTimeout(timer)
  },
}
