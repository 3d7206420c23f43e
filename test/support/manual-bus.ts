/** A bus whose time a test passes: periodic work is done when the test says so, and at no other time. */
import type { Config, Every } from '@arqonbus/server'
import { startBus, type TestBus, testClock } from '@arqonbus/testing'

/** A bus with its clock. */
export type ManualBus = TestBus & {
  /** Lets so much time pass, and does the periodic work once. */
  pass(ms: number): void
}

/** Starts a bus with a clock and timers of its own. */
export async function startManualBus(config: Partial<Config> = {}): Promise<ManualBus> {
  const clock = testClock()
  const tasks = new Set<() => void>()
  const every: Every = (_ms, task) => {
    const own = () => task()
    tasks.add(own)
    return () => void tasks.delete(own)
  }
  const bus = await startBus(config, { clock, every })
  return {
    ...bus,
    pass(ms) {
      clock.advance(ms)
      for (const task of [...tasks]) task()
    },
  }
}
