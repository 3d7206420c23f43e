/**
 * Entries that another program has added to the stream of a channel, or deleted from it: they are not delivered as
 * messages, and missing ones are announced as gaps.
 */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import {
  type Frame,
  isMessage,
  startBus,
  startRedis,
  type TestBus,
  type TestClient,
  type TestRedis,
  withProgram,
} from '@arqonbus/testing'

withProgram('redis-server', 'odd entries in streams', () => {
  let redis: TestRedis
  beforeAll(async () => {
    redis = await startRedis({ appendfsync: 'no' })
  })
  afterAll(() => redis.stop())

  let count = 0
  /** Creates a channel with five messages in a new room; returns the key of its stream too. */
  const fixture = async () => {
    const room = `odd${++count}`
    const bus = await startBus({ redisUrl: redis.url })
    const ann = await bus.brief('ann')
    const say = async (n: number) =>
      String((await ann.publish({ room, channel: 'a', payload: { n }, metadata: { ack: 'stored' } })).position)
    const positions: string[] = []
    for (let n = 1; n <= 5; n++) positions.push(await say(n))
    const [key] = (await redis.command('KEYS', `arqon:1:*:${room}:a:s`)) as [string]
    /** Deletes the entries after one and adds them again, after another entry, as in a stream in disorder. */
    const insertAfter = async (index: number, entry: (string | number)[]) => {
      const tail = (await redis.command('XRANGE', key, `(${positions[index]!}`, '+')) as [string, string[]][]
      for (const [id] of tail) await redis.command('XDEL', key, id)
      await redis.command('XSETID', key, positions[index]!)
      await redis.command('XADD', key, ...entry)
      for (const [id, fields] of tail) await redis.command('XADD', key, id, ...fields)
    }
    const fieldsOf = async (index: number) => {
      const [[, fields]] = (await redis.command('XRANGE', key, positions[index]!, positions[index]!)) as [
        [string, string[]],
      ]
      return fields
    }
    return { room, bus, ann, say, positions, key, insertAfter, fieldsOf }
  }
  type Fixture = Awaited<ReturnType<typeof fixture>>

  /**
   * Recovers from the first message at a bus with an empty cache. Returns the frames: messages by their payload, gaps
   * by their bounds.
   */
  const recover = async ({ room, positions }: Fixture, address: { channel: string } = { channel: 'a' }) => {
    const next = await startBus({ redisUrl: redis.url })
    const bob = await next.brief('bob')
    const since = address.channel === '*' ? { a: positions[0]! } : positions[0]!
    const joined = await bob.command('join_channel', { room, ...address, since } as never)
    return { next, bob, joined, got: await gotBy(next, bob, room) }
  }
  const gotBy = async (bus: TestBus, client: TestClient, room: string) => {
    const zoe = await bus.brief('zoe')
    await zoe.publish({ room, channel: 'a', payload: { n: 'last' }, metadata: { ack: 'stored' } })
    const got: unknown[] = []
    for (;;) {
      const frame = await client.next(
        (one: Frame) => isMessage(one) || (one.payload as { event?: string }).event === 'gap',
      )
      const { n, event, reason, after, next } = frame.payload as Record<string, unknown>
      if (n === 'last') return got
      got.push(event === 'gap' ? { reason, after, next } : n)
    }
  }

  for (const address of [{ channel: 'a' }, { channel: '*' }]) {
    const by = address.channel === '*' ? 'a subscription to the room' : 'a subscription'

    test(`a missing number within a stream is a gap, and ${by} continues with the next message`, async () => {
      const made = await fixture()
      await redis.command('XDEL', made.key, made.positions[2]!)
      const { got } = await recover(made, address)
      const next = `${ms(made.positions[3]!)}-3`
      expect(got).toEqual([2, { reason: 'lost', after: made.positions[1], next }, 4, 5])
    })

    test(`a repeated number in a stream is a gap, and ${by} continues`, async () => {
      const made = await fixture()
      const fields = (await made.fieldsOf(1)).map((text) => text.replace('"n":2', '"n":"again"'))
      await spread(made)
      await made.insertAfter(2, [`${Number(ms(made.positions[2]!)) + 1}-3`, ...fields])
      const { got } = await recover(made, address)
      expect(got.filter((one) => typeof one !== 'object')).toEqual([2, 3, 'again', 4, 5])
      expect(got[2]).toMatchObject({ reason: 'lost', after: made.positions[2] })
    })
  }

  test('an entry that is not a message is skipped by recovery, history and live subscriptions', async () => {
    const made = await fixture()
    await spread(made)
    const { room, ann, key, positions, say } = made
    await made.insertAfter(2, [`${Number(ms(positions[2]!)) + 1}-0`, 'other', 'field'])
    await redis.command('XADD', key, '*', 'h', 'garbage', 'b', 'garbage')
    await redis.command('XADD', key, '*', 'h', '{"version":"1.0"', 'b', 'garbage', 'more', 'fields')
    const { got } = await recover(made)
    expect(got).toEqual([2, 3, 4, 5])
    await say(6)
    const { messages } = await ann.command('history', { channel: `${room}:a`, limit: 100 })
    expect(messages.map(({ payload }) => (payload as { n: unknown }).n)).toEqual([1, 2, 3, 4, 5, 'last', 6])
  })

  test('a stream without any message is an empty history', async () => {
    const made = await fixture()
    const { room, ann, key } = made
    await redis.command('XTRIM', key, 'MAXLEN', 0)
    for (let i = 0; i < 300; i++) await redis.command('XADD', key, '*', 'garbage', i)
    expect(await ann.command('history', { channel: `${room}:a` })).toMatchObject({ messages: [], has_more: false })
    expect(await made.say(6)).toBeString()
  })

  /** Moves the messages ten milliseconds apart, so that others fit between. */
  const spread = async ({ key, positions }: Fixture) => {
    const entries = (await redis.command('XRANGE', key, '-', '+')) as [string, string[]][]
    const first = Number(ms(positions[0]!))
    await redis.command('DEL', key)
    for (const [i, [, fields]] of entries.entries()) {
      positions[i] = `${first - 1000 + 10 * i}-${i + 1}`
      await redis.command('XADD', key, positions[i]!, ...fields)
    }
    const head = key.replace(/s$/, 'h')
    await redis.command('HSET', head, 'b', first - 2000)
  }
})

/** The time of a position. */
const ms = (position: string): string => position.split('-')[0]!
