/** Two servers on one Redis serve one channel. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import {
  type Frame,
  isMessage,
  refusal,
  startBus,
  startRedis,
  type TestClient,
  type TestRedis,
  withProgram,
} from '@arqonbus/testing'

withProgram('redis-server', 'two servers on one Redis', () => {
  let redis: TestRedis
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  const startBoth = () => {
    const config = { redisUrl: redis.url, rateLimit: null }
    return Promise.all([startBus(config), startBus(config)])
  }
  /** Takes messages until there are `count`. */
  const take = async (client: TestClient, count: number): Promise<Frame[]> => {
    const frames: Frame[] = []
    while (frames.length < count) frames.push(await client.next(isMessage))
    return frames
  }
  const positionsOf = (frames: Frame[]) => frames.map(({ metadata }) => metadata?.position)

  test('clients of two nodes see the same messages in the same order, whichever node they publish to', async () => {
    const [one, other] = await startBoth()
    const [ann, bob] = [await one.as('ann', 'nodes:a'), await other.as('bob', 'nodes:a')]
    expect(bob.welcome.bus).toBe(ann.welcome.bus)
    expect(bob.welcome.node).not.toBe(ann.welcome.node)
    const COUNT = 200
    const published = [ann, bob].map((client) =>
      Promise.all(
        Array.from({ length: COUNT }, (_, i) =>
          client.publish({ channel: 'a', room: 'nodes', payload: { from: client.id, i }, metadata: { ack: true } }),
        ),
      ),
    )
    const acknowledged = (await Promise.all(published)).flat()
    const [seenByAnn, seenByBob] = [await take(ann, 2 * COUNT), await take(bob, 2 * COUNT)]
    expect(seenByBob).toEqual(seenByAnn)
    expect(seenByAnn.map(({ metadata }) => Number(String(metadata?.position).split('-')[1]))).toEqual(
      Array.from({ length: 2 * COUNT }, (_, i) => i + 1),
    )
    expect(new Set(acknowledged.map(({ position }) => position))).toEqual(new Set(positionsOf(seenByAnn) as string[]))
    for (const id of ['ann', 'bob']) {
      const own = seenByAnn.filter(({ from }) => from === id).map(({ payload }) => (payload as { i: number }).i)
      expect(own).toEqual(Array.from({ length: COUNT }, (_, i) => i))
    }
  })

  test('an id sent again through the other node gets the first position, and other content is a conflict', async () => {
    const [one, other] = await startBoth()
    const [ann, twin] = [await one.as('cid', 'nodes:b'), await other.as('cid', 'nodes:b')]
    const message = { id: 'arq_once', room: 'nodes', channel: 'b', payload: { n: 1 }, metadata: { ack: true } }
    const first = await ann.publish(message)
    expect(await twin.publish(message)).toMatchObject({ position: first.position, duplicate: true })
    expect(await refusal(twin.publish({ ...message, payload: { n: 2 } }))).toMatchObject({ code: 'id_conflict' })
  })

  test('a client recovers at one node what it missed at the other', async () => {
    const [one, other] = await startBoth()
    const [ann, bob] = [await one.as('dan', 'nodes:c'), await one.as('eve', 'nodes:c')]
    const say = (n: number) => ann.publish({ room: 'nodes', channel: 'c', payload: { n }, metadata: { ack: true } })
    const { position } = await say(1)
    const last = await bob.next(isMessage)
    await bob.close()
    await say(2)
    await say(3)
    const back = await other.connect({ query: { client_id: 'eve' } })
    expect(
      await back.command('join_channel', { room: 'nodes', channel: 'c', since: position!, since_id: last.id }),
    ).toMatchObject({ recovered: true, missed: 2 })
    expect((await take(back, 2)).map(({ payload }) => payload)).toEqual([{ n: 2 }, { n: 3 }])
    await say(4)
    expect((await take(back, 1)).map(({ payload }) => payload)).toEqual([{ n: 4 }])
  })

  test('a client with the same id at another node receives and reads no messages meant for the first one', async () => {
    const [one, other] = await startBoth()
    const [bob, stranger, ann] = [await one.as('bob-here'), await other.as('bob-here'), await one.as('ann-here')]
    // Both inboxes are open before the message is sent.
    for (const client of [bob, stranger]) await client.command('history', { channel: 'arqonbus:inbox' })
    const secret = {
      type: 'private',
      channel: 'pm',
      payload: { secret: true },
      metadata: { to: 'bob-here', ack: true },
    } as const
    await ann.publish(secret)
    expect((await bob.next(isMessage)).payload).toEqual({ secret: true })
    expect(await stranger.messages()).toEqual([])
    expect(await stranger.command('history', { channel: 'arqonbus:inbox' })).toMatchObject({ messages: [] })
  })

  test('a private channel is not exposed by a channel of its name that was created at another node', async () => {
    const [one, other] = await startBoth()
    const [owner, stranger] = [await one.as('owner'), await other.as('stranger')]
    await owner.command('create_channel', { room: 'nodes', channel: 'secret', type: 'private' })
    await owner.command('join_channel', { room: 'nodes', channel: 'secret' })
    await stranger.command('join_channel', { room: 'nodes', channel: 'secret' }).catch(() => {})
    await owner.publish({ room: 'nodes', channel: 'secret', payload: { secret: true } })
    expect(await stranger.messages()).toEqual([])
    const read = await stranger.command('history', { room: 'nodes', channel: 'secret' }).catch(() => ({ messages: [] }))
    expect(read.messages).toEqual([])
  })
})
