/** How late timers fire: whatever holds the only thread, every client waits for it. */
import { CLOCK_TICK_MS } from '../kit/clock.ts'
import type { Every } from '../kit/timer.ts'

/** Reports, with each tick, how many seconds too late it came. Returns a function that stops it. */
export function watchLoopLag(
  every: Every,
  report: (seconds: number) => void,
  now: () => number = () => performance.now(),
): () => void {
  let due = now() + CLOCK_TICK_MS
  return every(CLOCK_TICK_MS, () => {
    const time = now()
    report(Math.max(0, time - due) / 1000)
    due = time + CLOCK_TICK_MS
  })
}
