/** What a test of the suite gets: a driver with everything around it. */
import { type TestClock, testClock } from '../../clock.ts'
import type { LogSettings, LogUnderTest, Make } from './under-test.ts'
import { watchLog } from './watch.ts'

/** For so long a stage remembers ids. */
export const WINDOW_MS = 120_000

/** Drivers of the test that runs. */
const running: LogUnderTest[] = []

/** A driver with everything around it that a test needs. */
export async function createStage(make: Make, settings: Partial<LogSettings> = {}) {
  const clock: TestClock = testClock()
  const expired: Record<string, number> = {}
  const made = await make({
    clock,
    maxBytes: 1 << 20,
    inboxBytes: 1 << 20,
    dedupWindowMs: WINDOW_MS,
    dedupBytes: 1 << 20,
    maxClosed: 100,
    expired: (reason, count) => {
      expired[reason] = (expired[reason] ?? 0) + count
    },
    ...settings,
  })
  running.push(made)
  return { ...watchLog(made), clock, expired, store: made.store!, end: made.end }
}

/** Ends the drivers of a test that has run. */
export function endStages(): void {
  for (const { end } of running.splice(0)) end?.()
}

/** Makes a stage for one test. */
export type Stage = (settings?: Partial<LogSettings>) => ReturnType<typeof createStage>

/** A turn of the loop. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
