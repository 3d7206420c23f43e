import { expect, test } from 'bun:test'
import { startRedis, withProgram } from '@arqonbus/testing'
import { measureRate } from './rate.ts'
import { createXaddLoad } from './xadds.ts'

withProgram('redis-server', 'bare XADDs', () => {
  test('every bare XADD command is answered, and its entry is kept', async () => {
    await using redis = await startRedis()
    const plan = { port: redis.port, connections: 3, inFlight: 4, streams: 2, bytes: 250, maxLength: 1_000_000 }
    const load = await createXaddLoad(plan)
    load.start()
    await measureRate(load, { redis }, { warmSeconds: 0.05, seconds: 0.1 })
    expect(load.acknowledged()).toBe(load.sent())
    expect(load.refused()).toBe(0)
    const kept = await Promise.all([0, 1].map((stream) => redis.command('XLEN', `stream-${stream}`)))
    expect(Number(kept[0]) + Number(kept[1])).toBe(load.sent())
  })

  test('errors of bare XADD commands are counted', async () => {
    await using redis = await startRedis()
    await redis.command('SET', 'stream-0', 'no stream')
    const load = await createXaddLoad({
      port: redis.port,
      connections: 1,
      inFlight: 2,
      streams: 1,
      bytes: 1,
      maxLength: 9,
    })
    load.start()
    await measureRate(load, { redis }, { warmSeconds: 0, seconds: 0.05 })
    expect(load.refused()).toBe(load.sent())
  })
})
