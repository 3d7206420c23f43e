/** A bus whose figures are measured when the test says so (docs/guide/operations.md#figures). */
import type { SERIES_POINTS, Series, SeriesName } from '@arqonbus/protocol'
import type { Config, Every } from '@arqonbus/server'
import { startBus, type TestClient, testClock } from '@arqonbus/testing'
import { caller } from '../api/call.ts'
import { run } from '../support/ask.ts'

/** The points of a series. */
export const POINTS: typeof SERIES_POINTS = 90
/** The time from one point to the next. */
export const EVERY_MS = 10_000
/** The admin key of the bus. */
export const adminKey = 'correct-horse-battery-staple'

/** A bus on a clock of its own, whose timers fire when the test says so. */
export async function startMeasured(config: Partial<Config> = {}) {
  const clock = testClock()
  const timers = new Set<{ readonly ms: number; readonly task: () => void }>()
  const every: Every = (ms, task) => {
    const timer = { ms, task }
    timers.add(timer)
    return () => void timers.delete(timer)
  }
  const fire = (most: number, least = 0) => {
    for (const { ms, task } of [...timers]) if (ms <= most && ms >= least) task()
  }
  const bus = await startBus({ adminKey, rateLimit: null, httpCacheMs: 0, ...config }, { clock, every })
  const call = caller(bus.httpUrl)
  return {
    ...bus,
    call,
    clock,
    /** What is done every second, and more often. */
    everySecond: () => fire(1000),
    /** Ten seconds pass. */
    sample() {
      clock.advance(EVERY_MS)
      fire(EVERY_MS, EVERY_MS)
    },
    series: async (): Promise<Series> => (await call('/series')).body,
    latest: async (name: SeriesName) => (await call('/series')).body.series[name].at(-1) as number | null,
    /** The status as of now: figures of a second ago are not reused. */
    async status(client: TestClient) {
      clock.advance(1000)
      return run(client, 'status')
    },
  }
}

/** Publishes messages without a payload; resolves when all of them are handled. */
export const send = async (client: TestClient, channel: string, count: number) => {
  const [room, name] = channel.split(':') as [string, string]
  for (let i = 0; i < count; i++) client.send({ room, channel: name })
  await client.everything()
}
