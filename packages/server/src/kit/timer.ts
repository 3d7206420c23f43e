/** Does something every so many milliseconds until the function that it returns is called. */
export type Every = (ms: number, task: () => void) => () => void

/** By the timers of the runtime. */
export const byTimer: Every = (ms, task) => {
  const timer = setInterval(task, ms)
  return () => clearInterval(timer)
}
