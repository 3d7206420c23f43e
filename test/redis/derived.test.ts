/** How the durability level follows from what Redis reports about itself. */
import { expect, test } from 'bun:test'
import { type RedisOptions, redisPerTest, startBus, type TestRedis, withProgram } from '@arqonbus/testing'

withProgram('redis-server', 'the durability level of a configuration', () => {
  const start = redisPerTest()
  const levelOf = async (options: RedisOptions, prepare: (redis: TestRedis) => Promise<unknown> = async () => {}) => {
    const redis = await start(options)
    await prepare(redis)
    const ann = await (await startBus({ redisUrl: redis.url })).connect()
    return ann.welcome.durability
  }

  test('a Redis without an append-only file has the level `stored`', async () => {
    expect(await levelOf({ config: { appendonly: 'no' } })).toBe('stored')
  })

  test('a Redis that leaves syncing to the system has the level `stored`', async () => {
    expect(await levelOf({ appendfsync: 'no' })).toBe('stored')
  })

  test('a Redis that does not sync while it rewrites its file has the level `stored`', async () => {
    expect(await levelOf({ appendfsync: 'always', config: { 'no-appendfsync-on-rewrite': 'yes' } })).toBe('stored')
  })

  test('a Redis that hides its configuration has the level `stored` if it evicts nothing, and `memory` otherwise', async () => {
    const hide = (redis: TestRedis) => redis.command('ACL', 'SETUSER', 'default', '-config')
    expect(await levelOf({ appendfsync: 'always' }, hide)).toBe('stored')
    expect(await levelOf({ config: { 'maxmemory-policy': 'volatile-ttl' } }, hide)).toBe('memory')
  })
})
