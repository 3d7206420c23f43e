/** The requests of an idle bus to Redis, and the replacement of a connection whose replies are out of step. */
import { expect, test } from 'bun:test'
import { eventually, redisPerTest, startBus, withProgram } from '@arqonbus/testing'
import { Redis } from 'ioredis'
import { openProxy } from '../support/tcp-proxy.ts'

withProgram('redis-server', 'idle connections to Redis', () => {
  const start = redisPerTest()

  test('an idle server sends one request at a time, in turn: what Redis promises, and whether announcements arrive', async () => {
    const redis = await start()
    await startBus({ redisUrl: redis.url })
    const asker = new Redis(redis.url)
    const monitor = await asker.monitor()
    asker.disconnect()
    const asked: string[] = []
    monitor.on('monitor', (_time: string, [command]: [string]) => asked.push(command))
    await eventually(() => expect(asked.length).toBeGreaterThanOrEqual(4), { withinMs: 10_000 })
    monitor.disconnect()
    const four = asked.slice(0, 4)
    expect([
      ['info', 'ping', 'info', 'ping'],
      ['ping', 'info', 'ping', 'info'],
    ]).toContainEqual(four)
  }, 120_000)

  for (const [what, answer] of [
    ['a ping', '$1\r\n'],
    ['the durability of Redis', 'redis_version'],
  ] as const) {
    test(`a connection on which the reply to ${what} belongs to another request is replaced`, async () => {
      const redis = await start()
      const proxy = openProxy(redis.url)
      const bus = await startBus({ redisUrl: proxy.url })
      let isAltered = false
      proxy.alter((data) => {
        if (isAltered || !data.includes(answer)) return data
        isAltered = true
        return Buffer.from('$2\r\nno\r\n')
      })
      await eventually(async () => expect(await bus.metric('arqonbus_storage_degraded_total')).toBe(1), {
        withinMs: 10_000,
      })
      await eventually(async () => expect(await bus.metric('arqonbus_storage_available')).toBe(1))
      proxy.close()
    }, 120_000)
  }
})
