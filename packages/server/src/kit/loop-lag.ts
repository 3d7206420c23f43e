/** How late timers fire: whatever holds the only thread, every client waits for it. */

const INTERVAL_MS = 100

/** Reports, about ten times a second, how many seconds too late a timer fired. Returns a function that stops it. */
export function watchLoopLag(
  report: (seconds: number) => void,
  now: () => number = () => performance.now(),
): () => void {
  let due = now() + INTERVAL_MS
  const timer = setInterval(() => {
    const time = now()
    report(Math.max(0, time - due) / 1000)
    due = time + INTERVAL_MS
  }, INTERVAL_MS)
  timer.unref()
  return () => clearInterval(timer)
}
