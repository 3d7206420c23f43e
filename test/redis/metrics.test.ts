/** Metrics of Redis: availability, durability, response times, and losses. */
import { expect, test } from 'bun:test'
import { eventually, redisPerTest, startBus, type TestBus, type TestRedis, withProgram } from '@arqonbus/testing'

/** A killed Redis is noticed at once: nothing here waits for this timeout. */
const TIMEOUT_MS = 60_000

withProgram('redis-server', 'metrics of Redis', () => {
  const start = redisPerTest()
  const busOn = (redis: TestRedis, config: Parameters<typeof startBus>[0] = {}) =>
    startBus({ redisUrl: redis.url, redisTimeoutMs: TIMEOUT_MS, ...config })
  const becomes = (bus: TestBus, sample: string, value: number) =>
    eventually(async () => expect([sample, await bus.metric(sample)]).toEqual([sample, value]))
  const levels = (bus: TestBus) =>
    Promise.all(['memory', 'stored', 'disk'].map((level) => bus.metric(`arqonbus_durability{level="${level}"}`)))
  const asked = { room: 'science', channel: 'a', metadata: { ack: true } }

  test('the level metric is that of Redis, and `memory` while Redis is unreachable', async () => {
    const redis = await start()
    const bus = await busOn(redis)
    expect(await levels(bus)).toEqual([0, 1, 0])
    expect(await bus.metric('arqonbus_storage_driver{driver="redis"}')).toBe(1)
    expect(await bus.metric('arqonbus_storage_driver{driver="memory"}')).toBe(0)
    await redis.kill()
    await becomes(bus, 'arqonbus_storage_available', 0)
    expect(await levels(bus)).toEqual([1, 0, 0])
    expect(await bus.metric('arqonbus_status{status="degraded"}')).toBe(1)
    const durable = await start({ appendfsync: 'always' })
    expect(await levels(await busOn(durable))).toEqual([0, 0, 1])
  })

  test('an outage counts its seconds while it lasts and not after it, and every attempt to connect', async () => {
    const redis = await start()
    const bus = await busOn(redis)
    const [away, ready, failed] = [
      'arqonbus_storage_outage_seconds_total',
      'arqonbus_storage_connects_total{outcome="ready"}',
      'arqonbus_storage_connects_total{outcome="failed"}',
    ] as const
    expect([await bus.metric(away), await bus.metric(ready), await bus.metric(failed)]).toEqual([0, 1, 0])
    const started = performance.now()
    await redis.kill()
    await eventually(async () => expect(await bus.metric(failed)).toBeGreaterThan(1))
    const meanwhile = await bus.metric(away)
    expect(meanwhile).toBeGreaterThan(0)
    await redis.restart()
    await becomes(bus, 'arqonbus_storage_available', 1)
    expect(await bus.metric(ready)).toBe(2)
    const total = await bus.metric(away)
    expect(total).toBeGreaterThanOrEqual(meanwhile)
    expect(total).toBeLessThanOrEqual((performance.now() - started) / 1000)
    const failures = await bus.metric(failed)
    await (await bus.as('ann')).publish(asked)
    expect([await bus.metric(away), await bus.metric(failed)]).toEqual([total, failures])
  })

  test('the time of a PING is measured without traffic, that of a call with it, and messages count by their outcome', async () => {
    const redis = await start()
    const bus = await busOn(redis)
    const pings = () => bus.metric('arqonbus_storage_ping_duration_seconds_count')
    await eventually(async () => expect(await pings()).toBeGreaterThan(1))
    expect(await bus.metric('arqonbus_storage_ping_duration_seconds_sum')).toBeGreaterThan(0)
    expect(await bus.metric('arqonbus_append_duration_seconds_count')).toBe(0)
    const ann = await bus.as('ann', 'science:a')
    for (let i = 0; i < 3; i++) await ann.publish(asked)
    expect(await bus.metric('arqonbus_append_duration_seconds_count')).toBe(3)
    expect(await bus.metric('arqonbus_appends_total{outcome="appended"}')).toBe(3)
    await redis.kill()
    await becomes(bus, 'arqonbus_storage_available', 0)
    await ann.publish(asked)
    expect(await bus.metric('arqonbus_appends_total{outcome="queued"}')).toBe(1)
    await redis.restart()
    await becomes(bus, 'arqonbus_queued_messages', 0)
    expect(await bus.metric('arqonbus_appends_total{outcome="appended"}')).toBe(3)
  })

  test('a publisher whose messages wait for Redis counts as paused until they are stored', async () => {
    const redis = await start()
    const bus = await busOn(redis, { redisTimeoutMs: 10_000, redisQueueBytes: 64 * 1024, rateLimit: null })
    const ann = await bus.as('ann')
    redis.pause()
    for (let i = 0; i < 200; i++) ann.send({ channel: 'a', payload: { text: 'x'.repeat(1000) } })
    await becomes(bus, 'arqonbus_connections_paused', 1)
    redis.resume()
    await becomes(bus, 'arqonbus_connections_paused', 0)
  })

  test('required replicas and connected replicas are exported side by side', async () => {
    const redis = await start()
    await start({ replicaOf: redis })
    await eventually(async () => expect(String(await redis.command('INFO', 'replication'))).toContain('state=online'))
    const bus = await busOn(redis, { redisReplicas: 2 })
    const replicas = () =>
      Promise.all(['arqonbus_replicas_wanted', 'arqonbus_replicas_connected'].map((name) => bus.metric(name)))
    expect(await replicas()).toEqual([2, 1])
    await redis.kill()
    await becomes(bus, 'arqonbus_storage_available', 0)
    expect(await replicas()).toEqual([2, 0])
  })

  test('a Redis that returns empty counts as a gap in every log that had messages', async () => {
    const redis = await start({ config: { appendonly: 'no' } })
    const bus = await busOn(redis)
    const ann = await bus.as('ann', 'science:a')
    await ann.publish(asked)
    const reset = 'arqonbus_log_gaps_total{reason="reset"}'
    expect(await bus.metric(reset)).toBe(0)
    await redis.kill()
    await becomes(bus, 'arqonbus_storage_available', 0)
    await redis.restart()
    await ann.next(({ type, payload }) => type === 'system' && payload.event === 'gap')
    expect(await bus.metric(reset)).toBeGreaterThan(0)
  })

  test('the status metric is `draining` while queued messages are not stored', async () => {
    const redis = await start()
    const bus = await busOn(redis, { drainTimeoutMs: 10_000 })
    const ann = await bus.as('ann')
    await redis.kill()
    await becomes(bus, 'arqonbus_storage_available', 0)
    await ann.publish(asked)
    const drained = bus.drain('the test')
    await becomes(bus, 'arqonbus_status{status="draining"}', 1)
    expect(await bus.metric('arqonbus_status{status="degraded"}')).toBe(0)
    await redis.restart()
    await drained
  })
})
