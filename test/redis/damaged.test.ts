/** A key of Redis that another program has overwritten damages its channel, and no other. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import {
  eventually,
  type Frame,
  isMessage,
  refusal,
  startBus,
  startRedis,
  type TestClient,
  type TestRedis,
  withProgram,
} from '@arqonbus/testing'

withProgram('redis-server', 'overwritten keys', () => {
  let redis: TestRedis
  beforeAll(async () => {
    redis = await startRedis({ appendfsync: 'no' })
  })
  afterAll(() => redis.stop())

  let count = 0
  /** Starts a bus with two channels of a new room, a publisher to both, and a subscriber of both. */
  const fixture = async (more: Parameters<typeof startBus>[0] = {}) => {
    const room = `lab${++count}`
    const lines: Record<string, unknown>[] = []
    // Every bus also finds the channels of earlier ones.
    const note = (line: object) => {
      if ((line as { log?: string }).log === `${room}:spoilt`) lines.push(line as Record<string, unknown>)
    }
    // The dedup window does not rotate during the test.
    const config = { redisUrl: redis.url, dedupWindowMs: 24 * 3_600_000, ...more }
    const bus = await startBus(config, { logger: { debug() {}, info() {}, warn: note, error: note } })
    const ann = await bus.brief('ann')
    const bob = await bus.brief('bob', `${room}:spoilt`, `${room}:sound`)
    const say = (client: TestClient, channel: string, n: number, ack: unknown = 'stored') =>
      client.publish({ room, channel, payload: { n }, metadata: { ack } })
    await say(ann, 'spoilt', 0)
    await say(ann, 'sound', 0)
    const [head] = (await redis.command('KEYS', `arqon:1:*:${room}:spoilt:h`)) as [string]
    const keyOf = (what: string) => head.replace(/h$/, what)
    const heard = async (channel: string, many: number) => {
      const frames: Frame[] = []
      while (frames.length < many) frames.push(await bob.next((frame) => isMessage(frame) && frame.channel === channel))
      return frames.map(({ payload }) => (payload as { n: number }).n)
    }
    /** Deletes keys. */
    const clean = async (...keys: string[]) => void (await redis.command('DEL', ...keys))
    return { room, bus, ann, lines, say, keyOf, heard, clean }
  }
  type Fixture = Awaited<ReturnType<typeof fixture>>

  const spoils: readonly { name: string; key: string; spoil(fixture: Fixture): Promise<unknown> }[] = [
    ...['s', 'h', 'd0', 'd1'].map((what) => ({
      name: `a text in place of ${what}`,
      key: what,
      async spoil({ keyOf, clean }: Fixture) {
        await clean(keyOf(what))
        await redis.command('SET', keyOf(what), 'a text')
      },
    })),
    {
      name: 'an invalid head',
      key: 'h',
      spoil: ({ keyOf }) => redis.command('HSET', keyOf('h'), 'b', 'soon', 'm', 'later', 'n', '-1'),
    },
    {
      name: 'a truncated head',
      key: 'h',
      spoil: ({ keyOf }) => redis.command('HDEL', keyOf('h'), 'n'),
    },
    {
      name: 'a stream that ends later than any position',
      key: 's',
      spoil: ({ keyOf }) => redis.command('XADD', keyOf('s'), '9223372036854775807-5', 'h', 'x', 'b', 'x'),
    },
    {
      name: 'a stream that ends at the last possible id, and no head',
      key: 's',
      async spoil({ keyOf, clean }) {
        await clean(keyOf('h'))
        await redis.command('XADD', keyOf('s'), '18446744073709551615-18446744073709551615', 'h', 'x', 'b', 'x')
      },
    },
  ]

  for (const { name, key, spoil } of spoils) {
    test(`only a channel with ${name} is refused, and a log line names the key`, async () => {
      const made = await fixture()
      const { bus, ann, lines, say, keyOf, heard, clean } = made
      await spoil(made)
      // In one call: before, between and after the damaged channel.
      const outcomes = await Promise.allSettled(
        Array.from({ length: 6 }, (_, i) => say(ann, i % 2 === 0 ? 'sound' : 'spoilt', i + 1)),
      )
      expect(outcomes.map(({ status }) => status)).toEqual([
        'fulfilled',
        'rejected',
        'fulfilled',
        'rejected',
        'fulfilled',
        'rejected',
      ])
      expect(await refusal(say(ann, 'spoilt', 7))).toMatchObject({
        code: 'storage_unavailable',
        details: { reason: 'damaged' },
        retry_after_ms: expect.any(Number),
      })
      expect(await heard('sound', 4)).toEqual([0, 1, 3, 5])
      expect(lines).toEqual([expect.objectContaining({ event: 'log_damaged', key: keyOf(key) })])
      expect(await bus.metric('arqonbus_storage_degraded_total')).toBe(0)

      await clean(keyOf('s'), keyOf('h'), keyOf('d0'), keyOf('d1'))
      expect(await say(ann, 'spoilt', 8)).toMatchObject({ durability: 'stored', duplicate: false })
    })
  }

  test('the history of a damaged channel is refused, and that of another channel is not', async () => {
    const { room, ann, keyOf, clean } = await fixture()
    await clean(keyOf('s'))
    await redis.command('SET', keyOf('s'), 'a text')
    const history = (channel: string) => ann.command('history', { channel: `${room}:${channel}` })
    expect(await refusal(history('spoilt'))).toMatchObject({
      code: 'storage_unavailable',
      details: { reason: 'damaged' },
    })
    expect((await history('sound')).messages).toHaveLength(1)
  })

  test('a server that starts with a damaged channel serves all others, and that one once it is repaired', async () => {
    const { room, bus, keyOf, clean } = await fixture()
    await bus.drain('for the test')
    await clean(keyOf('h'))
    await redis.command('SET', keyOf('h'), 'a text')
    const next = await startBus({ redisUrl: redis.url })
    const carl = await next.brief('carl', `${room}:spoilt`, `${room}:sound`)
    const say = (channel: string) => carl.publish({ room, channel, payload: {}, metadata: { ack: 'stored' } })
    expect(await say('sound')).toMatchObject({ durability: 'stored' })
    expect(await refusal(say('spoilt'))).toMatchObject({ code: 'storage_unavailable', details: { reason: 'damaged' } })
    await clean(keyOf('h'))
    expect(await say('spoilt')).toMatchObject({ durability: 'stored' })
    expect(await next.metric('arqonbus_storage_degraded_total')).toBe(0)
  })

  test('a damaged channel can be deleted and created again', async () => {
    const { room, ann, say, keyOf, clean } = await fixture()
    await clean(keyOf('h'), keyOf('s'))
    await redis.command('SET', keyOf('h'), 'a text')
    await redis.command('RPUSH', keyOf('s'), 'a list')
    const own = `${room}:mine`
    await ann.command('create_channel', { channel: own })
    await say(ann, 'mine', 1)
    const [ownHead] = (await redis.command('KEYS', `arqon:1:*:${own}:h`)) as [string]
    await redis.command('DEL', ownHead)
    await redis.command('SET', ownHead, 'a text')
    await ann.command('delete_channel', { channel: own })
    await ann.command('create_channel', { channel: own })
    expect(await eventually(() => say(ann, 'mine', 2))).toMatchObject({ durability: 'stored' })
  })

  test('a queued message whose channel is damaged when Redis returns is lost, and a log line counts it', async () => {
    const { bus, ann, lines, say, keyOf, clean } = await fixture({ redisTimeoutMs: 1000 })
    redis.pause()
    await eventually(async () => expect(await bus.metric('arqonbus_storage_available')).toBe(0), { withinMs: 10_000 })
    expect(await say(ann, 'spoilt', 1, true)).toMatchObject({ durability: 'memory', position: null })
    redis.resume()
    // Before the bus reconnects: it retries a little later.
    await clean(keyOf('h'))
    await redis.command('SET', keyOf('h'), 'a text')
    await eventually(() => expect(lines.map(({ event }) => event)).toContain('messages_lost'), { withinMs: 10_000 })
    expect(lines.find(({ event }) => event === 'messages_lost')).toMatchObject({ count: 1, key: keyOf('h') })
  })
})
