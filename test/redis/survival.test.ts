/**
 * Failures besides the faults of `test/faults/redis`: other configurations of Redis, what is lost, and how that is
 * reported.
 */
import { afterEach, expect, test } from 'bun:test'
import {
  connect,
  eventually,
  type Frame,
  type RedisOptions,
  startBus,
  startRedis,
  type TestBus,
  type TestClient,
  type TestRedis,
  withProgram,
} from '@arqonbus/testing'
import { type BusProcess, startBusProcess } from '../support/bus-process.ts'

withProgram('redis-server', 'survival with Redis', () => {
  const ended: (() => unknown)[] = []
  afterEach(async () => {
    for (const end of ended.splice(0).reverse()) await end()
  })
  const start = async (options: RedisOptions = {}): Promise<TestRedis> => {
    const redis = await startRedis(options)
    ended.push(redis.stop)
    return redis
  }
  const startProcess = async (redisUrl: string, settings: Record<string, string> = {}): Promise<BusProcess> => {
    const bus = await startBusProcess({ settings: { ARQONBUS_REDIS_URL: redisUrl, ...settings } })
    ended.push(() => bus.stop('SIGKILL'))
    return bus
  }
  const as = (id: string, { busUrl }: { busUrl: string }) =>
    connect(busUrl, { query: { client_id: id, join: ['science:a'] } })
  const say = (client: TestClient, n: number, ack: unknown = true) =>
    client.publish({ channel: 'a', payload: { n }, metadata: { ack } })
  /** The messages in the log, once it can be read. */
  const said = (client: TestClient): Promise<unknown[]> =>
    eventually(async () => {
      const page = await client.command('history', { channel: 'science:a' })
      if (page.partial === true) throw new Error('Redis is unreachable')
      return page.messages.map(({ payload }) => payload)
    })
  const isGap = ({ channel, payload }: Frame) => channel === 'a' && (payload as { event?: string }).event === 'gap'
  /** Waits until messages are stored again. */
  const stored = (client: TestClient, n: number) =>
    eventually(async () => {
      const { position } = await say(client, n)
      if (position === null) throw new Error('Redis is unreachable')
      return position
    })
  const isAway = (bus: TestBus) =>
    eventually(async () => expect(await bus.metric('arqonbus_storage_available')).toBe(0))

  test('a kill -9 of the server loses nothing from a Redis that leaves syncing to the system or has no append-only file', async () => {
    const ways: RedisOptions[] = [{ appendfsync: 'no' }, { config: { appendonly: 'no' } }]
    for (const way of ways) {
      const redis = await start(way)
      const bus = await startProcess(redis.url)
      const position = await stored(await as('ann', bus), 1)
      await bus.stop('SIGKILL')
      const bob = await (await startBus({ redisUrl: redis.url })).as('bob', 'science:a')
      expect(await said(bob)).toContainEqual({ n: 1 })
      expect(Number((await stored(bob, 2)).split('-')[1])).toBeGreaterThan(Number(position.split('-')[1]))
    }
  }, 120_000)

  test('a kill -9 of a Redis that leaves syncing to the system loses nothing that it had acknowledged', async () => {
    const redis = await start({ appendfsync: 'no' })
    const bus = await startBus({ redisUrl: redis.url, redisTimeoutMs: 60_000 })
    const ann = await bus.as('ann', 'science:a')
    for (let n = 1; n <= 20; n++) await say(ann, n)
    await redis.kill()
    await isAway(bus)
    await redis.restart()
    const position = await stored(ann, 21)
    expect(Number(position.split('-')[1])).toBeGreaterThanOrEqual(21)
    expect((await said(ann)).slice(0, 20)).toEqual(Array.from({ length: 20 }, (_, i) => ({ n: i + 1 })))
  }, 120_000)

  test('a kill -9 of a Redis without an append-only file loses everything, and all subscribers are notified', async () => {
    const redis = await start({ config: { appendonly: 'no' } })
    const bus = await startBus({ redisUrl: redis.url, redisTimeoutMs: 60_000 })
    const ann = await bus.as('ann', 'science:a')
    expect(await say(ann, 1)).toMatchObject({ durability: 'stored' })
    const { position: since } = await say(ann, 2)
    await redis.kill()
    await isAway(bus)
    await redis.restart()
    const gap = await ann.next(isGap)
    expect(gap).toMatchObject({ channel: 'a', payload: { reason: 'reset', after: since } })
    const bob = await bus.as('bob')
    const join = await bob.command('join_channel', { channel: 'science:a', since: since! })
    expect(join).toMatchObject({ recovered: false, reason: 'reset' })
    expect(await said(bob)).toEqual([])
  }, 120_000)

  test('every subscriber that misses messages evicted by Redis is notified', async () => {
    const redis = await start({ config: { 'maxmemory-policy': 'allkeys-lru' } })
    const bus = await startBus({ redisUrl: redis.url, redisTimeoutMs: 60_000 })
    const ann = await bus.as('ann', 'science:a')
    const { position: since } = await say(ann, 1)
    expect(await say(ann, 2)).toMatchObject({ durability: 'memory', position: expect.any(String) })
    await redis.command('CONFIG', 'SET', 'maxmemory', '1')
    await eventually(async () => expect(await redis.command('KEYS', 'arqon:*:s')).toEqual([]))
    await redis.command('CONFIG', 'SET', 'maxmemory', '0')
    const position = await stored(ann, 3)
    expect((await ann.next(isGap)).payload).toMatchObject({ reason: 'reset' })
    expect(await said(ann)).not.toContainEqual({ n: 1 })
    const bob = await bus.as('bob')
    expect(await bob.command('join_channel', { channel: 'science:a', since: since! })).toMatchObject({
      recovered: false,
    })
    expect(Number(position.split('-')[0])).toBeGreaterThan(Number(since!.split('-')[0]))
  }, 120_000)

  test('a message that a replica has survives the primary if that replica takes over', async () => {
    const primary = await start()
    const replica = await start({ replicaOf: primary })
    await eventually(async () => {
      // A new replica does not respond at once.
      await primary.command('SET', 'joined', 'yes')
      expect(await primary.command('WAIT', 1, 100)).toBe(1)
    })
    const bus = await startBus({ redisUrl: primary.url, redisReplicas: 1, redisTimeoutMs: 60_000 })
    const ann = await bus.as('ann', 'science:a')
    for (let n = 1; n <= 20; n++)
      expect(await say(ann, n, { level: 'stored', replicas: 1 })).toMatchObject({ replicas: 1 })
    const last = (await ann.messages()).at(-1)!
    await primary.kill()
    await replica.command('REPLICAOF', 'NO', 'ONE')
    const bob = await (await startBus({ redisUrl: replica.url })).connect()
    const since = { since: String(last.metadata?.position), since_id: last.id }
    const join = await bob.command('join_channel', { channel: 'science:a', ...since })
    expect(join).toMatchObject({ recovered: true, missed: 0 })
    expect(await said(bob)).toEqual(Array.from({ length: 20 }, (_, i) => ({ n: i + 1 })))
  }, 120_000)

  test('messages queued while Redis is unreachable are lost with a server that is killed', async () => {
    const redis = await start()
    const bus = await startProcess(redis.url)
    const ann = await as('ann', bus)
    await say(ann, 1)
    await redis.kill()
    await eventually(async () => expect(await say(ann, 2)).toMatchObject({ position: null, durability: 'memory' }))
    await bus.stop('SIGKILL')
    await redis.restart()
    expect(await said(await (await startBus({ redisUrl: redis.url })).as('bob', 'science:a'))).toEqual([{ n: 1 }])
  }, 120_000)

  test('a drain that ends before Redis is back logs how many messages are lost', async () => {
    const redis = await start()
    const bus = await startProcess(redis.url, { ARQONBUS_DRAIN_TIMEOUT: '300ms' })
    const ann = await as('ann', bus)
    await redis.kill()
    await eventually(() => expect(bus.output()).toContain('storage_degraded'))
    for (const n of [1, 2, 3]) expect(await say(ann, n)).toMatchObject({ position: null })
    expect(await bus.stop('SIGTERM')).toBe(0)
    const line =
      bus
        .output()
        .split('\n')
        .find((text) => text.includes('messages_lost')) ?? '{}'
    expect(JSON.parse(line)).toMatchObject({ level: 'error', event: 'messages_lost', count: 3 })
  }, 120_000)
})
