/** Queues in Redis, used by several nodes. */
import { afterEach, expect, test } from 'bun:test'
import { eventually, redisPerTest, withProgram } from '@arqonbus/testing'
import { webhooksOf } from '../config/index.ts'
import { silentLogger } from '../observability/logger.ts'
import { keyOf } from '../redis/keys.ts'
import { createRedisLink } from '../redis/link.ts'
import type { EventQueue } from './event-queue.ts'
import { RedisQueues } from './redis-queues.ts'

withProgram('redis-server', 'queues of webhooks in Redis', () => {
  const startRedis = redisPerTest()
  const closes: (() => void)[] = []
  afterEach(() => {
    for (const close of closes.splice(0)) close()
  })

  /** A node with one queue. */
  async function node(url: string, name: string, limits = { webhooksQueueEvents: 100, webhooksQueueBytes: 100_000 }) {
    const link = createRedisLink({
      url,
      timeoutMs: 10_000,
      logger: silentLogger,
      random: Math.random,
      changed() {},
      metrics: { connected() {}, pinged() {} },
    })
    const queues = new RedisQueues({ link, logger: silentLogger, every: () => () => {}, node: name, limits })
    let dropped = 0
    const queue = queues.create('hook', {
      maxEvents: limits.webhooksQueueEvents,
      maxBytes: limits.webhooksQueueBytes,
      filled() {},
      dropped(count) {
        dropped += count
      },
    })
    closes.push(() => link.close())
    await link.start()
    return { queue, queues, dropped: () => dropped }
  }
  const event = (n: number) => ({ id: `evt_${n}`, text: `{"id":"evt_${n}"}` })
  const idsOf = async (queue: EventQueue, events = 100) =>
    (await queue.take({ events, bytes: 1_000_000 })).map(({ id }) => id)
  const stored = (queue: EventQueue, ids: readonly string[]) =>
    eventually(async () => expect(await idsOf(queue)).toEqual(ids as string[]))

  test('events stay until they are released, which may be repeated, and a node that left hands them over', async () => {
    const { url } = await startRedis()
    const [one, other] = [await node(url, 'one'), await node(url, 'other')]
    for (const n of [1, 2, 3]) one.queue.push(event(n))
    await stored(one.queue, ['evt_1', 'evt_2', 'evt_3'])
    other.queue.push(event(4))
    await stored(one.queue, ['evt_1', 'evt_2', 'evt_3', 'evt_4'])
    expect([await idsOf(other.queue), other.queue.isElsewhere, one.queue.isElsewhere]).toEqual([[], true, false])
    const [, second] = await one.queue.take({ events: 2, bytes: 1_000_000 })
    for (let i = 0; i < 2; i++) await one.queue.release(second!)
    expect(await idsOf(one.queue)).toEqual(['evt_3', 'evt_4'])
    expect(one.queue.size).toBe(2)
    expect(await one.queue.close()).toBe(0)
    expect(await idsOf(other.queue)).toEqual(['evt_3', 'evt_4'])
  })

  test('one event is taken however long it is, and others as far as the bytes allow', async () => {
    const { url } = await startRedis()
    const { queue } = await node(url, 'one')
    const long = { id: 'evt_long', text: `{"id":"evt_long","data":"${'x'.repeat(10_000)}"}` }
    queue.push(long)
    queue.push(event(1))
    await stored(queue, ['evt_long', 'evt_1'])
    const taken = async (bytes: number) => (await queue.take({ events: 100, bytes })).map(({ id }) => id)
    expect(await taken(1)).toEqual(['evt_long'])
    expect(await taken(20_000)).toEqual(['evt_long', 'evt_1'])
  })

  test('a full queue drops what comes, says how many before the next event, and takes events again when there is space', async () => {
    const { url } = await startRedis()
    const { queue, dropped } = await node(url, 'one', { webhooksQueueEvents: 2, webhooksQueueBytes: 100_000 })
    for (const n of [1, 2]) queue.push(event(n))
    await stored(queue, ['evt_1', 'evt_2'])
    for (const n of [3, 4]) queue.push(event(n))
    await eventually(async () => {
      await idsOf(queue)
      expect(dropped()).toBe(2)
    })
    const [first] = await queue.take({ events: 1, bytes: 1 })
    await queue.release(first!)
    queue.push(event(5))
    await stored(queue, ['evt_2', 'evt_5'])
    expect((await queue.take({ events: 2, bytes: 1000 })).map((one) => one.dropped)).toEqual([0, 2])
    expect(dropped()).toBe(2)
  })

  test('a queue that is cleared leaves nothing in Redis', async () => {
    const { url, command } = await startRedis()
    const { queue } = await node(url, 'one')
    for (const n of [1, 2, 3]) queue.push(event(n))
    await stored(queue, ['evt_1', 'evt_2', 'evt_3'])
    expect(await queue.clear()).toBe(3)
    for (const end of ['q', 'm', 'l']) expect(await command('EXISTS', `${keyOf('@webhook:hook')}:${end}`)).toBe(0)
  })

  test('the queues of a log are those of the webhooks that want its messages, by the webhooks of now', async () => {
    const { url } = await startRedis()
    const { queues } = await node(url, 'one')
    const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
    const logs = ['a:b', 'a:b!private', 'a:*', 'c:d', '@inbox:ann:key'].map((name) => ({ name }))
    const wanted = (...events: string[]) => {
      queues.changed(webhooksOf([{ url: 'https://a.org/', events, secret }]).map((config) => ({ id: 'hook', config })))
      return logs.filter((log) => queues.of(log) !== '').map(({ name }) => name)
    }
    expect(wanted('client.connected')).toEqual([])
    expect(wanted('message.published:a:*')).toEqual(['a:b', 'a:*'])
    expect(wanted('message.published:a:b')).toEqual(['a:b', 'a:b!private'])
    expect(wanted('message.published:*:*')).toEqual(['a:b', 'a:*', 'c:d'])
    queues.changed([])
    expect(logs.map((log) => queues.of(log))).toEqual(['', '', '', '', ''])
  })
})
