/**
 * Timers by running time (`clock.ts`).
 *
 * What is done again and again shares one timer: a wake-up of a process that has nothing to do costs it about a tenth
 * of a millisecond, whatever it does then. What is done once, later, is done after so much running time: a process that
 * was frozen finds all its deadlines as far away as before.
 */
import { CLOCK_TICK_MS, type Clock, systemClock } from './clock.ts'

/** Does something every so many milliseconds until the function that it returns is called. */
export type Every = (ms: number, task: () => void) => () => void

/**
 * Does something once, after so many milliseconds of running time; returns what prevents it. It keeps no process alive.
 */
export type After = (ms: number, task: () => void) => () => void

/**
 * A timer that fires so much later than it should has waited for the loop, and what it waits for may be in a socket by
 * now.
 */
const LATE_MS = 20

const runtimeInterval: Every = (ms, task) => {
  const timer = setInterval(task, ms)
  return () => clearInterval(timer)
}

const runtimeTimeout: After = (ms, task) => {
  const timer = setTimeout(task, ms)
  timer.unref()
  return () => clearTimeout(timer)
}

/**
 * Makes `every`: times are rounded up to ticks of the clock, but for those that are shorter than one, which have timers
 * of their own.
 */
export function createEvery(setTimer: Every = runtimeInterval): Every {
  const tasks = new Set<{ readonly ticks: number; readonly task: () => void }>()
  let count = 0
  let stop: (() => void) | undefined

  const tick = () => {
    count++
    for (const { ticks, task } of tasks) if (count % ticks === 0) task()
  }

  return (ms, task) => {
    if (ms < CLOCK_TICK_MS) return setTimer(ms, task)
    const entry = { ticks: Math.ceil(ms / CLOCK_TICK_MS), task }
    tasks.add(entry)
    stop ??= setTimer(CLOCK_TICK_MS, tick)
    return () => {
      tasks.delete(entry)
      if (tasks.size > 0) return
      stop?.()
      stop = undefined
    }
  }
}

/** Makes `after`. */
export function createAfter(clock: Pick<Clock, 'monotonic'>, setTimer: After = runtimeTimeout): After {
  return (ms, task) => {
    const dueAt = clock.monotonic() + ms
    let cancel = setTimer(ms, fire)
    let isOver = false

    function fire(): void {
      const left = dueAt - clock.monotonic()
      if (left >= 1) cancel = setTimer(left, fire)
      else if (left > -LATE_MS) run()
      // The loop was held: the sockets have a turn first. What is asked for in one turn comes before they are read, and
      // what that asks for, behind it.
      else setImmediate(() => setImmediate(run))
    }
    function run(): void {
      if (!isOver) task()
    }
    return () => {
      isOver = true
      cancel()
    }
  }
}

/** By the timers of the runtime. */
export const byTimer: Every = createEvery()

/** By the timers of the runtime and the clock of the process. */
export const after: After = createAfter(systemClock)

/** Looks every 10 ms until something is done, or that moment of running time has come. */
export async function until(isDone: () => boolean, deadline: number): Promise<void> {
  // By the clock of the system: a clock that a test has stopped would wait without end.
  while (!isDone() && systemClock.monotonic() < deadline)
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
}

const LOOK_EVERY_MS = 10

/**
 * Does something every so many milliseconds, but only while there is something to do: from `wake` on, until `task` says
 * that nothing is left. Returns `wake` and what ends it.
 */
export function whileNeeded(every: Every, ms: number, task: () => boolean): { wake(): void; stop(): void } {
  let stop: (() => void) | undefined
  let isOver = false
  const rest = () => {
    stop?.()
    stop = undefined
  }
  return {
    wake() {
      if (!isOver)
        stop ??= every(ms, () => {
          if (!task()) rest()
        })
    },
    stop() {
      isOver = true
      rest()
    },
  }
}
