/**
 * Messages by the clock, from a loop that never sleeps. Were the load asleep between messages, each of the server's
 * writes would have to wake it, which on one machine costs the server more than the write itself and over a network
 * costs it nothing; and a timer of a millisecond would add that millisecond to what is measured.
 */
export interface Clockwork {
  stop(): void
  /** Time so far in which there was nothing to send and nothing had come. */
  idleNs(): number
}

/**
 * Calls `emit` for each message that has fallen due, with the time at which it was due: a late load must show in the
 * latencies rather than hide the wait. `reads` tells how often something has come in.
 */
export function startClockwork(perSecond: number, reads: () => number, emit: (turn: number, due: number) => void) {
  const apart = 1e9 / perSecond
  let due = Bun.nanoseconds() + apart
  let messages = 0
  let last = Bun.nanoseconds()
  let lastReads = reads()
  let idle = 0
  let running = true

  const turn = () => {
    if (!running) return
    const now = Bun.nanoseconds()
    if (due <= now) for (; due <= now; due += apart) emit(messages++, due)
    else if (reads() === lastReads) idle += now - last
    last = now
    lastReads = reads()
    setImmediate(turn)
  }
  setImmediate(turn)

  const clockwork: Clockwork = {
    stop() {
      running = false
    },
    idleNs: () => idle,
  }
  return clockwork
}
