/** Clocks that are set during the load. */
import type { Fault, Running } from '../../../support/harness/fault.ts'

const HOUR_MS = 3_600_000

/** A history that a step of two hours would expire. */
const settings = { ARQONBUS_HISTORY_TTL: '1h' }

const DAY_MS = 24 * HOUR_MS

/** Unused channels are removed as soon as their history is empty. */
const idle = { ARQONBUS_CHANNEL_IDLE: '1s' }

/** Publishes to a channel that is unused afterwards. Its history is read at the end, like that of every channel. */
async function leaveAlone({ record }: Running, level: Fault['level'], name: string): Promise<void> {
  const client = await record.connect(`left-${name}`)
  const position = await record.publish(client, `quiet:${name}`, level)
  if (position === undefined) throw new Error(`no message was accepted in quiet:${name}`)
  await client.close()
}

/** Sets a clock far ahead for some seconds, in which the bus sweeps unused channels several times. */
async function stepFor(run: Running, set: (offsetMs: number) => void): Promise<void> {
  await leaveAlone(run, 'stored', String(run.random.below(1e9)))
  // Longer than the time after which a channel counts as idle.
  await Bun.sleep(1500)
  set(8 * DAY_MS)
  await Promise.all([run.acknowledged(50 + run.random.below(100)), Bun.sleep(run.isLong ? 5000 : 2500)])
  set(0)
  await run.acknowledged(50)
}

export const clockFaults: readonly Fault[] = [
  {
    name: 'a Redis clock that is set two hours ahead and back expires nothing, and positions never decrease',
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
    name: 'a Redis clock that is set two hours back and forward again changes nothing',
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
    name: 'a server clock that is set two hours back, ahead and right again changes nothing',
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
  {
    name: 'a server clock that is set eight days ahead for some seconds removes no channel and no message of one',
    level: 'stored',
    fakeClock: true,
    settings: idle,
    mustSee: ['acknowledged'],
    inject: (run) => stepFor(run, run.busClock.set),
  },
  {
    name: 'a Redis clock that is set eight days ahead for some seconds removes no channel and no message of one',
    level: 'stored',
    redis: { fakeClock: true },
    settings: idle,
    mustSee: ['acknowledged'],
    inject: (run) => stepFor(run, (offsetMs) => run.redis.clock!.set(offsetMs)),
  },
]
