/** Time and timers. Tests pass a clock that they advance. */
export type Clock = {
  /** Milliseconds since 1970. */
  now(): number
  /** Calls `then` once after `ms`; the returned function cancels that. */
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
