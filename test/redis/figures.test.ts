/** What `status` and the series say of Redis (docs/guide/operations.md#figures). */
import { expect, test } from 'bun:test'
import type { Every } from '@arqonbus/server'
import { eventually, redisPerTest, startBus, withProgram } from '@arqonbus/testing'
import { caller } from '../api/call.ts'
import { run } from '../support/ask.ts'

const EVERY_MS = 10_000

withProgram('redis-server', 'figures of Redis', () => {
  const start = redisPerTest()

  test('status has the memory of Redis and its limit, and the last outage; the series have the time of an append', async () => {
    const redis = await start({ config: { maxmemory: '100mb' } })
    let sample = () => {}
    const every: Every = (ms, task) => {
      if (ms === EVERY_MS) sample = task
      const timer = setInterval(task, ms)
      return () => clearInterval(timer)
    }
    const bus = await startBus({ redisUrl: redis.url, redisTimeoutMs: 3_600_000 }, { every })
    const ann = await bus.as('ann')
    await ann.publish({ room: 'talk', channel: 'a' })
    sample()
    const { storage } = await run(ann, 'status')
    expect(storage).toMatchObject({ driver: 'redis', store: { max_bytes: 100 * 1024 * 1024 } })
    expect(storage.store!.bytes).toBeWithin(100_000, 100 * 1024 * 1024)
    expect(storage).not.toHaveProperty('last_outage')
    const { series } = (await caller(bus.httpUrl)('/series')).body
    expect(series.append_ms.at(-1)).toBeGreaterThan(0)

    const before = Date.now()
    await redis.kill()
    const away = await eventually(async () => {
      const { storage, attention } = await run(ann, 'status')
      expect(attention).toContainEqual({ code: 'storage_away', since: storage.last_outage!.since, count: 1 })
      return storage.last_outage!
    })
    expect(Date.parse(away.since)).toBeWithin(before, Date.now() + 1)
    await redis.restart()
    await eventually(async () =>
      expect((await run(ann, 'status')).attention.map(({ code }) => code)).not.toContain('storage_away'),
    )
    const last = (await run(ann, 'status')).storage.last_outage!
    expect(last.since).toBe(away.since)
    expect(last.ms).toBeGreaterThanOrEqual(away.ms)
    expect((await run(ann, 'status')).storage.last_outage).toEqual(last)
  })
})
