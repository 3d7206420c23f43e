/** Snapshots: the newest message of each key, and then everything after them (docs/protocol.md#snapshots). */
import { beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { Config } from '@arqonbus/server'
import {
  type Frame,
  isMessage,
  redisPerTest,
  refusal,
  startBus,
  type TestBus,
  type TestClient,
  withProgram,
} from '@arqonbus/testing'

// Some of these start Redis, or publish many messages.
setDefaultTimeout(60_000)

const CHANNEL = 'board:state'
const isNotice = ({ payload }: Frame) => payload.event === 'snapshot'

/** What a client got up to the end of its snapshot, and the notice there. */
async function snapshotOf(client: TestClient) {
  const notice = await client.next(isNotice)
  const messages = client.frames.filter(isMessage)
  for (const frame of messages) client.frames.splice(client.frames.indexOf(frame), 1)
  return { texts: messages.map(shown), notice: notice.payload, channel: `${notice.room}:${notice.channel}` }
}
const shown = ({ metadata, payload }: Frame) => `${metadata?.key ?? ''}${payload.i}`

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i)

async function publishAll(client: TestClient, keys: readonly (string | undefined)[], from = 0): Promise<void> {
  for (const [i, key] of keys.entries())
    await client.publish({
      room: 'board',
      channel: 'state',
      payload: { i: from + i },
      ...(key !== undefined && { metadata: { key } }),
    })
}

function suite(start: (config?: Partial<Config>) => Promise<TestBus>): void {
  let bus: TestBus
  beforeEach(async () => {
    bus = await start()
  })

  test('first comes the newest message of each key, in the order of positions, then a notice', async () => {
    const [ann, bob] = [await bus.as('ann'), await bus.as('bob')]
    await publishAll(ann, ['a', 'b', undefined, 'a', 'c', undefined, 'b'])
    const joined = await bob.command('join_channel', { channel: CHANNEL, snapshot: 'latest' })
    expect(joined).toMatchObject({ channel: CHANNEL, position: expect.stringMatching(/-7$/) })
    expect(await snapshotOf(bob)).toEqual({
      texts: ['a3', 'c4', '5', 'b6'],
      notice: { event: 'snapshot', messages: 4, complete: true },
      channel: CHANNEL,
    })
    await publishAll(ann, ['a', 'a'], 7)
    expect((await bob.messages()).map(shown)).toEqual(['a7', 'a8'])
  })

  test('a channel without messages has an empty snapshot', async () => {
    const bob = await bus.as('bob')
    await bob.command('join_channel', { channel: CHANNEL, snapshot: 'latest', delivery: 'latest' })
    expect(await snapshotOf(bob)).toMatchObject({ texts: [], notice: { messages: 0, complete: true } })
  })

  for (const delivery of ['all', 'latest'] as const)
    test(`nothing is missed between a snapshot and what follows it, with delivery "${delivery}"`, async () => {
      const [ann, bob] = [await bus.as('ann'), await bus.as('bob')]
      await publishAll(
        ann,
        Array.from({ length: 400 }, (_, i) => `k${i % 50}`),
      )
      const joining = bob.command('join_channel', { channel: CHANNEL, snapshot: 'latest', delivery })
      for (let i = 400; i < 500; i++)
        ann.send({ room: 'board', channel: 'state', payload: { i }, metadata: { key: `k${i % 50}` } })
      const [{ position }] = [(await joining) as { position: string }]
      const head = Number(position.split('-')[1])
      await ann.command('ping')
      const last = await bob.next(({ payload }) => payload.i === 499)
      const all = [...bob.frames.filter(isMessage), last].map(({ metadata }) =>
        Number(metadata!.position!.split('-')[1]),
      )
      // The newest of each key up to the head, once, then what follows: all of it, or the newest of each key at least.
      expect(all.slice(0, 50)).toEqual(range(head - 49, head))
      const after = all.slice(50)
      expect(after).toEqual(after.toSorted((a, b) => a - b))
      expect(delivery === 'all' ? after : after.slice(-50)).toEqual(range(delivery === 'all' ? head + 1 : 451, 500))
    })

  test('a snapshot of a whole room has the newest messages of each of its channels', async () => {
    const [ann, bob] = [await bus.as('ann'), await bus.as('bob')]
    for (const i of [1, 2])
      for (const channel of ['a', 'b'])
        await ann.publish({ room: 'wide', channel, payload: { i }, metadata: { key: channel } })
    await bob.command('join_channel', { channel: 'wide:*', snapshot: 'latest' })
    const { texts, notice, channel } = await snapshotOf(bob)
    expect([texts.toSorted(), notice, channel]).toEqual([
      ['a2', 'b2'],
      { event: 'snapshot', messages: 2, complete: true },
      'wide:*',
    ])
  })

  test('a recovery under a policy brings the newest of each key of what was missed', async () => {
    const [ann, bob] = [await bus.as('ann'), await bus.as('bob')]
    await publishAll(ann, ['a', 'b', 'a', 'a', 'b', 'a'])
    const { first } = await ann.command('history', { channel: CHANNEL, limit: 1 })
    const joined = await bob.command('join_channel', { channel: CHANNEL, since: first, delivery: 'latest' })
    expect(joined).toMatchObject({ recovered: true, missed: 5 })
    await bob.next(({ payload }) => payload.i === 5)
    expect(bob.frames.filter(isMessage).map(shown)).toEqual(['b4'])
    await publishAll(ann, ['a'], 6)
    expect((await bob.messages()).map(shown)).toEqual(['b4', 'a6'])
  })

  test('a snapshot is bounded in messages that are read, and in keys, and says so', async () => {
    const small = await start({ snapshotMessages: 300 })
    const [ann, bob] = [await small.as('ann'), await small.as('bob')]
    await publishAll(ann, ['early', ...Array.from({ length: 300 }, () => 'late')])
    await bob.command('join_channel', { channel: CHANNEL, snapshot: 'latest' })
    expect(await snapshotOf(bob)).toMatchObject({ texts: ['late300'], notice: { messages: 1, complete: false } })
    expect(await small.metric('arqonbus_limits_hit_total{limit="snapshot_messages"}')).toBe(1)

    const few = await start({ sampledKeys: 3 })
    const [cid, dan] = [await few.as('cid'), await few.as('dan')]
    await publishAll(cid, ['a', 'b', 'c', 'd', 'e'])
    await dan.command('join_channel', { channel: CHANNEL, snapshot: 'latest' })
    expect(await snapshotOf(dan)).toMatchObject({ texts: ['c2', 'd3', 'e4'], notice: { messages: 3, complete: false } })
    expect(await few.metric('arqonbus_limits_hit_total{limit="sampled_keys"}')).toBe(1)
  })
}

describe('with the log in memory', () => {
  suite((config) => startBus({ rateLimit: null, historySize: 1000, ...config }))

  test('a snapshot is asked for again by a client that has joined, whatever its policy', async () => {
    const bus = await startBus()
    const [ann, bob] = [await bus.as('ann'), await bus.as('bob')]
    await publishAll(ann, ['a', 'b', 'a'])
    for (const delivery of ['latest', 'all', { sample_ms: 100 }] as const) {
      await bob.command('join_channel', { channel: CHANNEL, snapshot: 'latest', delivery })
      expect(await snapshotOf(bob)).toMatchObject({ texts: ['b1', 'a2'], notice: { messages: 2, complete: true } })
    }
  })

  test('a snapshot beside a position, and what is for channels of the inbox, are refused', async () => {
    const bob = await (await startBus()).as('bob')
    const since = { channel: CHANNEL, since: '1-1', snapshot: 'latest' } as const
    expect(await refusal(bob.command('join_channel', since))).toMatchObject({
      code: 'invalid_parameters',
      details: { path: '/parameters/snapshot' },
    })
    for (const option of [
      { delivery: 'latest' },
      { snapshot: 'latest' },
      { presence: true },
      { invisible: true },
    ] as const)
      expect(await refusal(bob.command('join_channel', { channel: 'arqonbus:inbox', ...option }))).toMatchObject({
        code: 'invalid_parameters',
        details: { path: `/parameters/${Object.keys(option)[0]}` },
      })
    for (const delivery of ['newest', { sample_ms: 5 }, { sample_ms: 60_001 }, { sample_ms: 20, more: 1 }, 3])
      expect(await refusal(bob.command('join_channel', { channel: CHANNEL, delivery } as never))).toMatchObject({
        code: 'invalid_parameters',
      })
  })
})

withProgram('redis-server', 'with the log in Redis', () => {
  const startRedis = redisPerTest()
  suite(async (config) => startBus({ rateLimit: null, redisUrl: (await startRedis()).url, ...config }))
})
