/**
 * Sends messages at scheduled times, from a loop that never sleeps. If the load slept between messages, each write of
 * the server would have to wake it, which on one machine costs the server more than the write itself and over a network
 * costs it nothing; and a millisecond timer would add up to a millisecond to the measurement.
 */
export interface OpenLoopScheduler {
  stop(): void
  /** Total time in which there was nothing to send and nothing had arrived. */
  idleNs(): number
}

/**
 * Calls `emit` for each message that is due, with the time at which it was due: a late load must increase the measured
 * latency instead of hiding the wait. `reads` returns the number of reads so far.
 */
export function startOpenLoopScheduler(
  perSecond: number,
  reads: () => number,
  emit: (turn: number, due: number) => void,
) {
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

  const scheduler: OpenLoopScheduler = {
    stop() {
      running = false
    },
    idleNs: () => idle,
  }
  return scheduler
}
