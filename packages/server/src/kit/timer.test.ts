import { describe, expect, test } from 'bun:test'
import { testClock } from '@arqonbus/testing'
import { CLOCK_TICK_MS } from './clock.ts'
import { createAfter, createEvery, type Every, whileNeeded } from './timer.ts'

type Timer = { readonly ms: number; readonly fire: () => void }

/** Timers that fire when a test says so. */
function handTimers() {
  const timers = new Set<Timer>()
  const setTimer = (ms: number, fire: () => void) => {
    const timer = { ms, fire }
    timers.add(timer)
    return () => void timers.delete(timer)
  }
  return { timers, setTimer, periods: () => [...timers].map(({ ms }) => ms) }
}

describe('every', () => {
  test('all periodic tasks share one timer, and each runs at its own interval', () => {
    const { timers, setTimer, periods } = handTimers()
    const every = createEvery(setTimer)
    const counts = { quick: 0, second: 0, odd: 0 }
    every(CLOCK_TICK_MS, () => counts.quick++)
    every(1000, () => counts.second++)
    every(1001, () => counts.odd++)
    expect(periods()).toEqual([CLOCK_TICK_MS])
    for (let tick = 0; tick < 20; tick++) for (const { fire } of timers) fire()
    expect(counts).toEqual({ quick: 20, second: 5, odd: 4 })
  })

  test('the shared timer ends with the last task and starts again with the next', () => {
    const { setTimer, periods } = handTimers()
    const every = createEvery(setTimer)
    const stops = [every(1000, () => {}), every(2000, () => {})]
    stops[0]!()
    expect(periods()).toHaveLength(1)
    stops[1]!()
    expect(periods()).toEqual([])
    every(1000, () => {})
    expect(periods()).toHaveLength(1)
  })

  test('a task more frequent than the tick has a timer of its own', () => {
    const { setTimer, periods } = handTimers()
    const every = createEvery(setTimer)
    const stop = every(10, () => {})
    expect(periods()).toEqual([10])
    stop()
    expect(periods()).toEqual([])
  })
})

describe('after', () => {
  const rig = () => {
    const clock = testClock()
    const { timers, setTimer, periods } = handTimers()
    let runs = 0
    const fire = () => {
      const [timer] = timers
      timers.delete(timer!)
      timer!.fire()
    }
    return { clock, fire, periods, after: createAfter(clock, setTimer), task: () => void runs++, runs: () => runs }
  }

  test('a delayed task runs when its time has passed', () => {
    const { clock, fire, after, task, runs } = rig()
    after(5000, task)
    clock.advance(5000)
    fire()
    expect(runs()).toBe(1)
  })

  test('a timer that fires after a freeze waits for the rest of its time', () => {
    const { clock, fire, periods, after, task, runs } = rig()
    after(5000, task)
    clock.advance(1000)
    clock.freeze(60_000)
    fire()
    expect([runs(), periods()]).toEqual([0, [4000]])
    clock.advance(4000)
    fire()
    expect(runs()).toBe(1)
  })

  test('a late timer lets the sockets run first, and their data may cancel it', async () => {
    const { clock, fire, after, task, runs } = rig()
    const cancel = after(1000, task)
    clock.advance(1500)
    fire()
    expect(runs()).toBe(0)
    setImmediate(cancel)
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(runs()).toBe(0)
    after(1000, task)
    clock.advance(1500)
    fire()
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(runs()).toBe(1)
  })

  test('a cancelled task does not run', () => {
    const { clock, periods, after, task, runs } = rig()
    after(1000, task)()
    clock.advance(2000)
    expect([periods(), runs()]).toEqual([[], 0])
  })
})

test('a task that runs only while needed has no timer otherwise', () => {
  const running = new Set<() => void>()
  const every: Every = (_ms, task) => {
    running.add(task)
    return () => void running.delete(task)
  }
  let left = 0
  const work = whileNeeded(every, 50, () => --left > 0)
  const tick = () => {
    for (const task of running) task()
  }
  expect(running.size).toBe(0)
  left = 2
  work.wake()
  work.wake()
  expect(running.size).toBe(1)
  tick()
  expect(running.size).toBe(1)
  tick()
  expect(running.size).toBe(0)
  work.wake()
  expect(running.size).toBe(1)
  work.stop()
  work.wake()
  expect(running.size).toBe(0)
})
