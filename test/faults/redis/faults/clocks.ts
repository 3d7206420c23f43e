/** Clocks that are set while everything runs. */
import type { Fault } from '../../../support/rig/fault.ts'

const HOUR_MS = 3_600_000

/** A history that a step of two hours would empty. */
const settings = { ARQONBUS_HISTORY_TTL: '1h' }

export const clockFaults: readonly Fault[] = [
  {
    name: "Redis's clock that is set two hours ahead and back again expires nothing, and positions never fall",
    level: 'stored',
    redis: { fakeClock: true },
    settings,
    mustSee: ['acknowledged'],
    async inject(run) {
      for (const offsetMs of [2 * HOUR_MS, 0]) {
        run.redis.clock!.set(offsetMs)
        await run.acknowledged(50 + run.random.below(100))
      }
    },
  },
  {
    name: "Redis's clock that is set two hours back and on again changes nothing",
    level: 'stored',
    redis: { fakeClock: true },
    settings,
    mustSee: ['acknowledged'],
    async inject(run) {
      for (const offsetMs of [-2 * HOUR_MS, 0]) {
        run.redis.clock!.set(offsetMs)
        await run.acknowledged(50 + run.random.below(100))
      }
    },
  },
  {
    name: "the bus's clock that is set two hours back, ahead and right again changes nothing",
    level: 'stored',
    fakeClock: true,
    settings,
    mustSee: ['acknowledged'],
    async inject(run) {
      for (const offsetMs of [-2 * HOUR_MS, 2 * HOUR_MS, 0]) {
        run.busClock.set(offsetMs)
        await run.acknowledged(50 + run.random.below(100))
      }
    },
  },
]
