/** The messages in flight to Redis are bounded, and fast publishers have to wait. */
import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { eventually, startBus, startRedis, type TestRedis, withProgram } from '@arqonbus/testing'

withProgram('redis-server', 'messages in flight to Redis', () => {
  let redis: TestRedis
  beforeAll(async () => {
    redis = await startRedis()
  })
  // A bus of a failed test only ends if Redis responds.
  afterEach(() => redis.resume())
  afterAll(() => redis.stop())

  test('the queue to Redis is bounded: publishers are not read meanwhile, and everything arrives once and in order', async () => {
    const BOUND = 256 * 1024
    const bus = await startBus({
      redisUrl: redis.url,
      redisTimeoutMs: 3_600_000,
      redisQueueBytes: BOUND,
      rateLimit: null,
      sendBufferSoftLimit: 64 * 1024,
    })
    const publishers = await Promise.all(Array.from({ length: 8 }, (_, i) => bus.as(`publisher-${i}`)))
    const reader = await bus.as('reader', 'science:flood')
    await publishers[0]!.publish({ channel: 'flood', payload: { first: true }, metadata: { ack: true } })
    redis.pause()
    const COUNT = 500
    for (let i = 0; i < COUNT; i++)
      for (const publisher of publishers) publisher.send({ channel: 'flood', payload: { i, text: 'x'.repeat(1000) } })
    await eventually(async () => {
      expect(await bus.metric('arqonbus_connections_paused')).toBeGreaterThanOrEqual(publishers.length)
      expect(await bus.metric('arqonbus_queued_bytes')).toBeGreaterThan(BOUND / 2)
      expect(await bus.metric('arqonbus_publishers_paused_total')).toBeGreaterThan(0)
    })
    // Each publisher may have its own share of unsettled messages in flight, and the frame that filled it.
    expect(await bus.metric('arqonbus_queued_bytes')).toBeLessThan(BOUND + publishers.length * 80 * 1024)
    redis.resume()
    const seen = new Map<string, number>()
    for (let count = 0; count < COUNT * publishers.length; ) {
      const { from, payload } = await reader.next(({ type }) => type === 'event')
      const { i } = payload as { i?: number }
      if (i === undefined) continue
      expect(i).toBe(seen.get(from) ?? 0)
      seen.set(from, i + 1)
      count++
    }
    await eventually(async () => expect(await bus.metric('arqonbus_queued_bytes')).toBe(0))
  }, 120_000)

  test('a client that is 20,000 messages behind gets everything once and in order while publishing continues', async () => {
    const bus = await startBus({ redisUrl: redis.url, rateLimit: null, historySize: 50_000 })
    const ann = await bus.as('ann', 'science:far')
    const first = await ann.publish({ channel: 'far', payload: { n: 1 }, metadata: { ack: true } })
    const BEHIND = 20_000
    for (let n = 2; n <= BEHIND; n++) ann.send({ channel: 'far', payload: { n } })
    await ann.publish({ channel: 'far', payload: { n: BEHIND + 1 }, metadata: { ack: true } })
    const other = await startBus({ redisUrl: redis.url, rateLimit: null, historySize: 50_000 })
    const bob = await other.connect()
    const join = bob.command('join_channel', { room: 'science', channel: 'far', since: first.position! })
    const MORE = 2000
    for (let n = 1; n <= MORE; n++) ann.send({ channel: 'far', payload: { n: BEHIND + 1 + n } })
    expect(await join).toMatchObject({ recovered: true })
    for (let n = 2; n <= BEHIND + 1 + MORE; n++) {
      const frame = await bob.next(({ type }) => type === 'event')
      expect((frame.payload as { n: number }).n).toBe(n)
    }
  }, 120_000)
})
