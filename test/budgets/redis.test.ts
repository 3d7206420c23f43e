/** The bytes of one channel in Redis are bounded (docs/protocol.md#budgets). */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { startBus, startRedis, type TestRedis, withProgram } from '@arqonbus/testing'

const KiB = 1024
const MOST = 256 * KiB

withProgram('redis-server', 'bytes of channels in Redis', () => {
  let redis: TestRedis
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  const start = () => startBus({ redisUrl: redis.url, channelBytes: MOST, rateLimit: null })

  test('a channel in Redis takes no more than CHANNEL_BYTES, loses its oldest messages only, and other channels lose nothing', async () => {
    const bus = await start()
    const ann = await bus.as('ann')
    const quiet = await ann.publish({ room: 'bytes', channel: 'quiet', payload: { n: 0 }, metadata: { ack: true } })
    const text = 'x'.repeat(8 * KiB)
    const COUNT = 200
    for (let n = 1; n <= COUNT; n++)
      await ann.publish({ room: 'bytes', channel: 'loud', payload: { n, text }, metadata: { ack: true } })
    const { messages, has_more } = await ann.command('history', { channel: 'bytes:loud', limit: 100 })
    const kept = messages.map(({ payload }) => (payload as { n: number }).n)
    expect(has_more).toBe(false)
    expect(kept.at(-1)).toBe(COUNT)
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => COUNT - kept.length + 1 + i))
    // A message takes 8 KiB, and what Redis adds to that.
    expect(kept.length).toBeWithin(20, 33)
    const keys = (await redis.command('KEYS', 'arqon:*bytes:loud*:s')) as string[]
    expect(Number(await redis.command('MEMORY', 'USAGE', keys[0]!, 'SAMPLES', '0'))).toBeLessThanOrEqual(MOST)
    expect(await bus.metric('arqonbus_history_expired_total{reason="bytes"}')).toBe(COUNT - kept.length)
    const other = await ann.command('history', { channel: 'bytes:quiet' })
    expect(other.messages.map(({ metadata }) => (metadata as { position: string }).position)).toEqual([quiet.position!])
  })

  test('a message that is longer than CHANNEL_BYTES is kept until the next one comes', async () => {
    const bus = await startBus({ redisUrl: redis.url, channelBytes: 8 * KiB, rateLimit: null })
    const ann = await bus.as('bob')
    const say = (n: number, length: number) =>
      ann.publish({
        ...{ room: 'bytes', channel: 'long', payload: { n, text: 'x'.repeat(length) } },
        metadata: { ack: true },
      })
    const numbers = async () =>
      (await ann.command('history', { channel: 'bytes:long' })).messages.map(({ payload }) => payload.n)
    await say(1, 100 * KiB)
    expect(await numbers()).toEqual([1])
    await say(2, 10)
    expect(await numbers()).toEqual([2])
  })
})
