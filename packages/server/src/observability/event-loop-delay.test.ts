import { expect, test } from 'bun:test'
import { CLOCK_TICK_MS } from '../kit/clock.ts'
import { watchLoopLag } from './event-loop-delay.ts'

test('a delayed event loop reports how late it is', () => {
  let now = 1000
  let tick = () => {}
  const lags: number[] = []
  watchLoopLag(
    (_ms, task) => {
      tick = task
      return () => {}
    },
    (seconds) => lags.push(seconds),
    () => now,
  )
  for (const late of [0, 250, 0]) {
    now += CLOCK_TICK_MS + late
    tick()
  }
  expect(lags).toEqual([0, 0.25, 0])
})
