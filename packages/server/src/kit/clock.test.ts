import { expect, test } from 'bun:test'
import { CLOCK_TICK_MS, createClock, NO_THAW } from './clock.ts'

/** A clock over sources that a test sets. */
function rig() {
  const time = { wall: Date.parse('2026-01-02T03:04:05.006Z'), steady: 5000 }
  const clock = createClock({ wall: () => time.wall, steady: () => time.steady })
  /** Lets time pass as it passes for a process that runs: somebody reads the clock now and then. */
  const run = (ms: number) => {
    for (let passed = 0; passed < ms; passed += CLOCK_TICK_MS) {
      const step = Math.min(CLOCK_TICK_MS, ms - passed)
      time.wall += step
      time.steady += step
      clock.monotonic()
    }
  }
  return { time, clock, run }
}

test('running time passes as long as the process runs', () => {
  const { clock, run } = rig()
  const from = clock.monotonic()
  run(3_600_000)
  expect(clock.monotonic() - from).toBe(3_600_000)
  expect(clock.thaw()).toBe(NO_THAW)
})

test('a step of the wall clock changes the wall time and nothing else', () => {
  for (const step of [-8 * 86_400_000, -600_000, 600_000, 8 * 86_400_000]) {
    const { time, clock, run } = rig()
    const from = clock.monotonic()
    time.wall += step
    run(1000)
    expect([clock.monotonic() - from, clock.now()]).toEqual([1000, time.wall])
    expect(clock.thaw()).toBe(NO_THAW)
  }
})

test('the time in which the process was frozen counts as one tick', () => {
  const { time, clock, run } = rig()
  run(1000)
  const from = clock.monotonic()
  time.wall += 10 * 86_400_000
  time.steady += 10 * 86_400_000
  expect(clock.monotonic() - from).toBe(CLOCK_TICK_MS)
  expect(clock.thaw()).toEqual({ at: clock.monotonic(), frozenMs: 10 * 86_400_000 - CLOCK_TICK_MS })
  run(1000)
  expect(clock.monotonic() - from).toBe(CLOCK_TICK_MS + 1000)
  expect(clock.thaw().at - from).toBe(CLOCK_TICK_MS)
})

test('a step of the steady clock and back moves the running time by no more than a tick', () => {
  const { time, clock, run } = rig()
  const from = clock.monotonic()
  time.steady += 600_000
  run(1000)
  time.steady -= 600_000
  run(1000)
  expect(clock.monotonic() - from).toBeWithin(1750, 2251)
})

test('running time never decreases, whatever its source does', () => {
  const { time, clock } = rig()
  let last = clock.monotonic()
  for (const step of [1, -1, 700, -700, 100_000, -200_000, 0, 749, -3]) {
    time.steady += step
    const now = clock.monotonic()
    expect(now).toBeGreaterThanOrEqual(last)
    last = now
  }
})

test('a moment of running time converts to the wall time that the current clock gives it', () => {
  const { time, clock, run } = rig()
  const at = clock.monotonic()
  run(60_000)
  expect(clock.wallOf(at)).toBe(time.wall - 60_000)
  time.wall += 600_000
  expect(clock.wallOf(at)).toBe(time.wall - 60_000)
  // Milliseconds that are cut off move nothing.
  time.wall += 1
  expect(clock.wallOf(at)).toBe(time.wall - 1 - 60_000)
})

test('the wall time at a moment of running time is the one that was last read, for a fifth of a millisecond', () => {
  const { time, clock } = rig()
  const first = time.wall
  expect(clock.nowAt(clock.monotonic())).toBe(first)
  time.wall += 600_000
  time.steady += 0.1
  expect(clock.nowAt(clock.monotonic())).toBe(first)
  time.steady += 0.1
  expect(clock.nowAt(clock.monotonic())).toBe(time.wall)
})
