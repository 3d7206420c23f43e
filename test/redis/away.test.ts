/**
 * Outages of Redis: what still works, what is refused, what is queued, and the outcome of queued messages
 * (docs/protocol.md#while-the-log-is-unavailable).
 */
import { expect, test } from 'bun:test'
import { eventually, type Frame, redisPerTest, refusal, startBus, type TestBus, withProgram } from '@arqonbus/testing'

/** The timeout of Redis: so long that a test that waits for it fails. A killed Redis is noticed at once. */
const NEVER_MS = 3_600_000

withProgram('redis-server', 'outages of Redis', () => {
  const start = redisPerTest()
  /**
   * Starts a Redis that syncs each message: with another setting it may write late on a slow disk, and lose what it had
   * confirmed.
   */
  const setUp = async (config: Parameters<typeof startBus>[0] = {}) => {
    const redis = await start({ appendfsync: 'always' })
    const bus = await startBus({ redisUrl: redis.url, redisTimeoutMs: NEVER_MS, ...config })
    return { redis, bus }
  }
  const isAvailable = (bus: TestBus, value: 0 | 1) =>
    eventually(async () => expect(await bus.metric('arqonbus_storage_available')).toBe(value))
  const health = async (bus: TestBus) => (await (await fetch(`${bus.httpUrl}/health`)).json()) as { status: string }

  test('while Redis is unreachable a message at level memory is delivered as provisional, and later with its position', async () => {
    const { redis, bus } = await setUp()
    const [ann, bob] = [await bus.as('ann', 'science:a'), await bus.as('bob', 'science:a')]
    const before = await ann.publish({ channel: 'a', payload: { n: 1 }, metadata: { ack: true } })
    await redis.kill()
    await isAvailable(bus, 0)
    expect(await health(bus)).toMatchObject({ status: 'degraded', reasons: [{ code: 'storage_away' }] })

    const held = await ann.publish({ channel: 'a', payload: { n: 2 }, metadata: { ack: true } })
    expect(held).toEqual({ position: null, durability: 'memory', duplicate: false, recipients: 2 })
    ann.send({ channel: 'a', payload: { n: 3 } })
    const copies = (await bob.messages()).filter(({ payload }) => (payload as { n: number }).n > 1)
    expect(copies.map(({ payload, metadata }) => [payload, metadata])).toEqual([
      [{ n: 2 }, { ack: true, provisional: true }],
      [{ n: 3 }, { provisional: true }],
    ])

    await redis.restart()
    const nth = (n: number) => (frame: Frame) =>
      (frame.payload as { n?: number }).n === n && frame.metadata?.position !== undefined
    const [second, third] = [await bob.next(nth(2)), await bob.next(nth(3))]
    const positions = [before.position, second.metadata?.position, third.metadata?.position]
    expect(positions.map((position) => String(position).split('-')[1])).toEqual(['1', '2', '3'])
    const { messages } = (await bob.command('history', { room: 'science', channel: 'a' })) as { messages: Frame[] }
    expect(messages.map(({ payload }) => payload)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
    expect(await health(bus)).toMatchObject({ status: 'ok', reasons: [] })
  })

  test('while Redis is unreachable a message that needs more than memory is refused at once with a retry time', async () => {
    const { redis, bus } = await setUp()
    const [ann, bob] = [await bus.as('ann', 'science:a'), await bus.as('bob', 'science:a')]
    await redis.kill()
    await isAvailable(bus, 0)
    for (const ack of ['stored', 'disk', { level: 'stored' }]) {
      const error = await refusal(ann.publish({ channel: 'a', metadata: { ack } }))
      expect(error).toMatchObject({ code: 'storage_unavailable', retry_after_ms: expect.any(Number) })
    }
    expect(await bob.messages()).toEqual([])
  })

  test('in strict mode every publish is refused while Redis is unreachable, and commands still work', async () => {
    const { redis, bus } = await setUp({ storageMode: 'strict' })
    const ann = await bus.as('ann', 'science:a')
    await redis.kill()
    await isAvailable(bus, 0)
    expect(await refusal(ann.publish({ channel: 'a', metadata: { ack: true } }))).toMatchObject({
      code: 'storage_unavailable',
    })
    const id = ann.send({ channel: 'a' })
    expect((await ann.answer(id)).error).toMatchObject({ code: 'storage_unavailable' })
    await ann.command('status')
    await ann.command('join_channel', { room: 'science', channel: 'other' })
  })

  test('a Redis that does not reply is detected, and the same id settles a message with an unknown outcome', async () => {
    const { redis, bus } = await setUp({ redisTimeoutMs: 2000 })
    const [ann, bob] = [await bus.as('ann', 'science:a'), await bus.as('bob', 'science:a')]
    await ann.publish({ channel: 'a', payload: { n: 1 }, metadata: { ack: true } })
    redis.pause()
    const message = { id: 'arq_in_flight', channel: 'a', payload: { n: 2 }, metadata: { ack: 'stored' } }
    expect(await refusal(ann.publish(message))).toMatchObject({ code: 'outcome_unknown' })
    await isAvailable(bus, 0)
    // Until Redis is back the outcome is unknown.
    const plain = { ...message, metadata: { ack: true } }
    expect(await refusal(ann.publish(plain))).toMatchObject({ code: 'storage_unavailable' })
    redis.resume()
    await isAvailable(bus, 1)
    const settled = await ann.publish(message)
    expect(settled).toMatchObject({ duplicate: true, durability: 'disk' })
    expect(settled.position?.split('-')[1]).toBe('2')
    const got = (await bob.messages()).map(({ payload }) => payload)
    expect(got).toEqual([{ n: 1 }, { n: 2 }])
  })

  test('while Redis is unreachable history is partial and says so, and only joins with `since` are refused', async () => {
    const { redis, bus } = await setUp()
    const ann = await bus.as('ann', 'science:a')
    const { position } = await ann.publish({ channel: 'a', payload: { n: 1 }, metadata: { ack: true } })
    await redis.kill()
    await isAvailable(bus, 0)
    expect(await ann.command('history', { room: 'science', channel: 'a' })).toMatchObject({
      messages: [{ payload: { n: 1 } }],
      partial: true,
    })
    const bob = await bus.connect()
    expect(
      await refusal(bob.command('join_channel', { room: 'science', channel: 'a', since: position! })),
    ).toMatchObject({ code: 'storage_unavailable' })
    expect(await bob.command('join_channel', { room: 'science', channel: 'a' })).toMatchObject({ position })
    // The position of a channel that was never used here is unknown now.
    const unheard = await bob.command('join_channel', { room: 'science', channel: 'unheard' })
    expect(unheard).toMatchObject({ channel: 'science:unheard' })
    expect(unheard).not.toHaveProperty('position')
    expect(await bob.command('channel_info', { channel: 'science:a' })).toMatchObject({ position, first: position })
    expect(await bob.command('channel_info', { channel: 'science:unheard' })).not.toHaveProperty('position')
  })

  test('the outage queue is bounded: when it is full, publishes are refused and counted, and nothing accepted is lost', async () => {
    const { redis, bus } = await setUp({ queuedBytes: 64 * 1024, rateLimit: null })
    const ann = await bus.as('ann', 'science:a')
    await redis.kill()
    await isAvailable(bus, 0)
    let taken = 0
    let error: { code: string; details?: unknown } | undefined
    while (error === undefined && taken < 1000) {
      try {
        await ann.publish({ channel: 'a', payload: { n: taken, text: 'x'.repeat(1000) }, metadata: { ack: true } })
        taken++
      } catch (problem) {
        error = await refusal(Promise.reject(problem))
      }
    }
    expect(error).toMatchObject({ code: 'storage_unavailable', details: { limit: 'queued_bytes' } })
    expect(await bus.metric('arqonbus_limits_hit_total{limit="queued_bytes"}')).toBe(1)
    expect(await bus.metric('arqonbus_queued_messages')).toBe(taken)
    await redis.restart()
    await eventually(async () => expect(await bus.metric('arqonbus_queued_messages')).toBe(0))
    const { messages } = (await ann.command('history', { room: 'science', channel: 'a', limit: 1000 })) as {
      messages: Frame[]
    }
    expect(messages.map(({ payload }) => (payload as { n: number }).n)).toEqual(
      Array.from({ length: taken }, (_, i) => i),
    )
  })

  test('a server starts without its Redis and uses it once it is available', async () => {
    const redis = await start()
    await redis.kill()
    // Without subscribers there is nothing to wait for.
    const bus = await startBus({ redisUrl: redis.url, redisTimeoutMs: NEVER_MS })
    expect(await health(bus)).toMatchObject({ status: 'degraded' })
    const ann = await bus.as('ann', 'science:a')
    expect(ann.welcome.durability).toBe('memory')
    expect(await ann.publish({ channel: 'a', payload: { n: 1 }, metadata: { ack: true } })).toMatchObject({
      position: null,
    })
    await redis.restart()
    await isAvailable(bus, 1)
    const { position } = await ann.publish({ channel: 'a', payload: { n: 2 }, metadata: { ack: 'stored' } })
    expect(position?.split('-')[1]).toBe('2')
  })

  test('each outage of Redis counts once and gives one telemetry event when it begins and one when it ends', async () => {
    const { redis, bus } = await setUp()
    const dash = await bus.as('dash', 'integriguard:telemetry-stream')
    for (let times = 1; times <= 2; times++) {
      await redis.kill()
      const degraded = await dash.next(({ type }) => type === 'telemetry')
      expect(degraded.payload).toEqual({
        eventType: 'storage_degraded',
        payload: { reason: expect.any(String), mode: 'degrade' },
      })
      await redis.restart()
      const recovered = await dash.next(({ type }) => type === 'telemetry')
      expect(recovered.payload).toEqual({ eventType: 'storage_recovered', payload: {} })
      expect(await bus.metric('arqonbus_storage_degraded_total')).toBe(times)
    }
  })

  test('a drain waits until messages acknowledged during an outage are stored', async () => {
    const { redis, bus } = await setUp({ drainTimeoutMs: NEVER_MS })
    const ann = await bus.as('ann', 'science:a')
    await redis.kill()
    await isAvailable(bus, 0)
    await ann.publish({ channel: 'a', payload: { n: 1 }, metadata: { ack: true } })
    const drained = bus.drain('the test')
    await redis.restart()
    await drained
    const again = await startBus({ redisUrl: redis.url })
    const bob = await again.as('bob', 'science:a')
    expect(await bob.command('history', { room: 'science', channel: 'a' })).toMatchObject({
      messages: [{ payload: { n: 1 } }],
    })
  })
})
