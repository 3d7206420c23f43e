/** Queues in Redis: events of stored messages survive the server, one node delivers them, and an outage loses none. */
import { afterEach, expect, test } from 'bun:test'
import { type Config, webhooksOf } from '@arqonbus/server'
import {
  connect,
  eventually,
  type RedisOptions,
  redisPerTest,
  startBus,
  type TestBus,
  withProgram,
} from '@arqonbus/testing'
import { type BusProcess, startBusProcess } from '../support/bus-process.ts'
import { createLogLines } from '../support/log-lines.ts'
import { type ReceivedEvent, type Receiver, SECRET, startReceiver } from './support/receiver.ts'

const MESSAGES = ['message.published:science:*']
const numberOf = ({ data }: ReceivedEvent) => (data.payload as { n: number }).n
const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, n) => from + n)
const unavailable = () => new Response(null, { status: 503 })

withProgram('redis-server', 'webhooks with Redis', () => {
  const startRedis = redisPerTest()
  const ended: (() => unknown)[] = []
  afterEach(async () => {
    for (const end of ended.splice(0).reverse()) await end()
  })
  const receive = (): Receiver => {
    const receiver = startReceiver()
    ended.push(async () => {
      await receiver.stop()
      expect(receiver.faults).toEqual([])
    })
    return receiver
  }
  const redis = (options: RedisOptions = {}) => startRedis({ appendfsync: 'always', ...options })
  const startProcess = async (redisUrl: string, receiver: Receiver, events = MESSAGES): Promise<BusProcess> => {
    const bus = await startBusProcess({
      settings: {
        ARQONBUS_REDIS_URL: redisUrl,
        ARQONBUS_WEBHOOKS: JSON.stringify([{ url: receiver.url, events, secret: SECRET }]),
        ARQONBUS_WEBHOOKS_ALLOW_PRIVATE: 'on',
      },
    })
    ended.push(() => bus.stop('SIGKILL'))
    return bus
  }
  const start = async (redisUrl: string, receiver: Receiver, config: Partial<Config> = {}, events = MESSAGES) => {
    const webhooks = webhooksOf([{ url: receiver.url, events, secret: SECRET }])
    const { lines, logger } = createLogLines()
    const bus = await startBus(
      { redisUrl, webhooks, webhooksAllowPrivate: true, rateLimit: null, ...config },
      { logger },
    )
    return { ...bus, lines }
  }
  const say = async (bus: Pick<TestBus, 'busUrl'>, count: number, from = 0) => {
    const ann = await connect(bus.busUrl)
    await Promise.all(
      upTo(count, from).map((n) => ann.publish({ channel: 'a', payload: { n }, metadata: { ack: 'disk' } })),
    )
    await ann.close()
  }
  /** The numbers in the order of their first arrival: an event may come twice. */
  const numbersOf = ({ events }: Receiver) => [...new Set(events.map(numberOf))]

  test('a kill -9 of the server loses no event of an acknowledged message, and changes no order', async () => {
    const { url } = await redis()
    const receiver = receive()
    receiver.respond = unavailable
    const first = await startProcess(url, receiver)
    await say(first, 150)
    await receiver.untilRequests(1)
    await first.stop('SIGKILL')
    receiver.respond = undefined
    await startProcess(url, receiver)
    await eventually(() => expect(numbersOf(receiver)).toEqual(upTo(150)))
  }, 120_000)

  test('a kill -9 in the middle of publishes and deliveries loses no event of an acknowledged message', async () => {
    const { url } = await redis()
    const receiver = receive()
    const first = await startProcess(url, receiver)
    const ann = await connect(first.busUrl)
    const acknowledged: number[] = []
    for (const n of upTo(1000)) {
      ann
        .publish({ channel: 'a', payload: { n }, metadata: { ack: 'disk' } })
        .then(() => acknowledged.push(n))
        .catch(() => {})
    }
    await receiver.until(50)
    await first.stop('SIGKILL')
    await ann.closed
    expect(acknowledged.length).toBeGreaterThan(50)
    await startProcess(url, receiver)
    await eventually(() => expect(numbersOf(receiver)).toEqual(expect.arrayContaining(acknowledged)))
    const numbers = numbersOf(receiver)
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
    // The same event has the same id and the same content, also when another process sends it.
    const texts = new Map<string, string>()
    for (const event of receiver.events) {
      expect(texts.get(event.id) ?? JSON.stringify(event)).toBe(JSON.stringify(event))
      texts.set(event.id, JSON.stringify(event))
    }
    expect(texts.size).toBe(numbers.length)
  }, 120_000)

  test('of several nodes one delivers what all have published, and another one goes on when it is killed', async () => {
    const { url } = await redis()
    const receiver = receive()
    const first = await startProcess(url, receiver)
    const second = await start(url, receiver)
    await say(first, 5)
    await say(second, 5, 5)
    await eventually(() => expect(numbersOf(receiver)).toEqual(upTo(10)))
    await first.stop('SIGKILL')
    await say(second, 5, 10)
    await eventually(() => expect(numbersOf(receiver)).toEqual(upTo(15)))
    await eventually(async () => expect(await second.metric('arqonbus_webhook_queue_events')).toBe(0))
  }, 120_000)

  test('a queue in Redis that is full drops and counts, and the receiver learns where that was', async () => {
    const { url } = await redis()
    const receiver = receive()
    receiver.respond = unavailable
    const bus = await start(url, receiver, { webhooksQueueEvents: 10 })
    await say(bus, 30)
    const dropped = () => bus.metric('arqonbus_webhook_events_dropped_total{reason="queue_full"}')
    await eventually(async () => expect(await dropped()).toBe(20))
    expect(await bus.metric('arqonbus_webhook_queue_events')).toBe(10)
    expect(await bus.metric('arqonbus_webhook_queue_bytes')).toBeGreaterThan(10 * 200)
    receiver.respond = undefined
    await receiver.until(10)
    await eventually(async () => expect(await bus.metric('arqonbus_webhook_queue_events')).toBe(0))
    await say(bus, 1, 30)
    await receiver.until(11)
    expect(receiver.events.map(numberOf)).toEqual([...upTo(10), 30])
    expect(receiver.events.at(-1)!.dropped).toBe(20)
    await eventually(async () => expect(await bus.metric('arqonbus_webhook_queue_bytes')).toBe(0))
    expect(bus.lines.filter(({ event }) => event === 'webhook_queue_full')).toHaveLength(1)
  }, 120_000)

  test('events of an outage of Redis are delivered after it, before the messages that were queued', async () => {
    const server = await redis()
    const receiver = receive()
    const bus = await start(server.url, receiver, {}, ['client.connected', ...MESSAGES])
    await bus.as('before')
    await receiver.until(1)
    await server.kill()
    await eventually(async () => expect(await bus.metric('arqonbus_storage_available')).toBe(0))
    const ann = await bus.as('during')
    await ann.publish({ channel: 'a', payload: { n: 0 } })
    await server.restart()
    await receiver.event(({ type }) => type === 'message.published')
    // The first may have been accepted when Redis was killed, and not been removed from the queue.
    const once = [...new Map(receiver.events.map((event) => [event.id, event])).values()]
    expect(once.map(({ type, data }) => [type, data.client_id])).toEqual([
      ['client.connected', 'before'],
      ['client.connected', 'during'],
      ['message.published', undefined],
    ])
  }, 120_000)

  test('where Redis keeps no messages, their events are in its queues all the same', async () => {
    const { url } = await redis()
    const receiver = receive()
    receiver.respond = unavailable
    const config = { persist: ['rooms', 'channels', 'sessions'] } as const
    const first = await start(url, receiver, config)
    const ann = await first.as('ann')
    for (const n of upTo(20)) await ann.publish({ channel: 'a', payload: { n } })
    await eventually(async () => expect(await first.metric('arqonbus_webhook_queue_events')).toBe(20))
    await first.drain('a restart')
    receiver.respond = undefined
    await start(url, receiver, config)
    await receiver.until(20)
    expect(receiver.events.map(numberOf)).toEqual(upTo(20))
  }, 120_000)

  test('a queue that somebody else has written over holds up no message', async () => {
    const { url, command } = await redis()
    const bus = await start(url, receive())
    await say(bus, 1)
    const keys = (await command('KEYS', 'arqon:*@webhook:*')) as string[]
    const names = new Set(keys.map((key) => key.replace(/:[a-z]$/, '')))
    expect(names.size).toBe(1)
    for (const name of names) for (const end of ['q', 'm']) await command('SET', `${name}:${end}`, 'something else')
    await say(bus, 5, 1)
    expect(await bus.metric('arqonbus_storage_available')).toBe(1)
  }, 120_000)

  test('a private channel in Redis is sent only to a webhook that names it', async () => {
    const { url } = await redis()
    const receiver = receive()
    const bus = await start(url, receiver, {}, ['message.published:lab:named', 'message.published:*:*'])
    const ann = await bus.as('ann', 'lab:open')
    for (const name of ['named', 'other']) {
      await ann.command('create_channel', { channel: `lab:${name}`, type: 'private' })
      await ann.publish({ room: 'lab', channel: name })
    }
    await ann.publish({ type: 'private', room: 'lab', channel: 'pm', metadata: { to: 'ann' } })
    await ann.publish({ room: 'lab', channel: '*' })
    await ann.publish({ room: 'lab', channel: 'open' })
    await receiver.event(({ data }) => data.channel === 'open')
    expect(receiver.events.map(({ data }) => data.channel)).toEqual(['named', '*', 'open'])
  }, 120_000)
})
