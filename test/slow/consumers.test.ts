/**
 * Slow consumers: a client that reads too slowly catches up from the log, without effect on other clients
 * (docs/protocol.md#history-and-recovery).
 */
import { afterEach, describe, expect, test } from 'bun:test'
import type { Every } from '@arqonbus/server'
import { eventually, openRaw, type Publish, type RawSocket, startBus, type TestClient } from '@arqonbus/testing'

const KEY = 'the-key'
/** The periodic tasks of the bus, which also run by themselves. */
const tasks = new Set<() => void>()
const tick = () => {
  for (const task of tasks) task()
}
const every: Every = (ms, task) => {
  tasks.add(task)
  const timer = setInterval(task, ms)
  return () => {
    tasks.delete(task)
    clearInterval(timer)
  }
}
const bus = await startBus(
  {
    rateLimit: null,
    historySize: 5000,
    adminKey: KEY,
    sendBufferSoftLimit: 128 * 1024,
    // The system buffers bursts for clients that read.
    socketSendBytes: 0,
    pingIntervalMs: 60_000,
    pingTimeoutMs: 600_000,
  },
  { every },
)
const PAYLOAD = { text: 'x'.repeat(16 * 1024) }
/** The kernel buffers a few MiB for a client that does not read; this many messages always exceed that. */
const MOST = 2000

let count = 0
const raws: RawSocket[] = []
afterEach(() => {
  for (const raw of raws.splice(0)) raw.destroy()
})

type Message = {
  room: string
  channel: string
  type: string
  payload: Record<string, unknown>
  metadata?: { position?: string }
}

/** A client that can stop reading. */
async function reader(...joins: string[]) {
  const id = `reader-${++count}`
  const query = new URLSearchParams({ client_id: id })
  for (const join of joins) query.append('join', join)
  const raw = await openRaw(`${bus.busUrl}?${query}`)
  raws.push(raw)
  await raw.nextJson()
  const next = async () => (await raw.nextJson()) as Message
  const ask = (name: string, parameters: Record<string, unknown>) => {
    const payload = JSON.stringify({ name, parameters })
    raw.frame({
      payload: `{"version":"1.0","id":"arq_q${++count}","type":"command","room":"arqonbus","channel":"control","from":"${id}","timestamp":"2026-01-01T00:00:00Z","payload":${payload}}`,
    })
  }
  return { ...raw, id, next, ask }
}
const publisher = () =>
  bus.connect({ query: { client_id: `publisher-${++count}` }, headers: { authorization: `Bearer ${KEY}` } })
const behind = () => bus.metric('arqonbus_connections_catching_up')
const closures = () => bus.metric('arqonbus_slow_consumers_closed_total')

/** Publishes until the condition is true, and some more; returns the number of messages. */
async function sendUntil(
  client: TestClient,
  messages: readonly Publish[],
  isSo: () => Promise<boolean>,
): Promise<number> {
  let sent = 0
  const sendSome = async () => {
    for (let i = 0; i < 60; i++) {
      client.send({ payload: { ...PAYLOAD, i: sent }, ...messages[sent % messages.length] })
      sent++
    }
    await client.command('ping')
  }
  do await sendSome()
  while (!(await isSo()) && sent < MOST)
  expect(await isSo()).toBe(true)
  await sendSome()
  return sent
}
/** Publishes until this many readers have fallen behind, and some more. */
const sendUntilBehind = (client: TestClient, messages: readonly Publish[], readers = 1) =>
  sendUntil(client, messages, async () => (await behind()) === readers)
const numberOf = ({ metadata }: Pick<Message, 'metadata'>) => Number(metadata?.position?.split('-')[1])
const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i)
/** Takes `messages` messages; returns their numbers by channel. */
async function take(from: { next(): Promise<Message> }, messages: number): Promise<Record<string, number[]>> {
  const numbers: Record<string, number[]> = {}
  for (let i = 0; i < messages; i++) {
    const message = await from.next()
    const address = `${message.room}:${message.channel}`
    numbers[address] = [...(numbers[address] ?? []), numberOf(message)]
  }
  return numbers
}

test('a slow consumer catches up from the log once and in order and is live again, without affecting others', async () => {
  const [slow, quick, ann] = [await reader('calm:talk'), await bus.as('quick', 'calm:talk'), await publisher()]
  const fallbacks = await bus.metric('arqonbus_slow_fallbacks_total')
  slow.pause()
  const sent = await sendUntilBehind(ann, [{ room: 'calm', channel: 'talk' }])
  // A list of clients shows which one is slow. At times the kernel accepts everything that waited, before the next page
  // follows.
  await eventually(async () => {
    const { clients } = await ann.command('list_clients', { channel: 'calm:talk' })
    expect(clients.map((one) => [one.client_id, one.behind, one.queue_bytes > 0])).toEqual([
      [slow.id, true, true],
      ['quick', false, false],
    ])
  })
  // The fast client has everything already.
  expect((await quick.messages()).map(numberOf)).toEqual(range(1, sent))
  slow.resume()
  expect(await take(slow, sent)).toEqual({ 'calm:talk': range(1, sent) })
  await eventually(async () => expect(await behind()).toBe(0))
  await ann.publish({ room: 'calm', channel: 'talk' })
  expect(await take(slow, 1)).toEqual({ 'calm:talk': [sent + 1] })
  expect(await bus.metric('arqonbus_slow_fallbacks_total')).toBe(fallbacks + 1)
})

test('a slow consumer stays in order while other clients keep publishing', async () => {
  const [slow, ann] = [await reader('busy:talk'), await publisher()]
  slow.pause()
  const sent = await sendUntilBehind(ann, [{ room: 'busy', channel: 'talk' }])
  slow.resume()
  const MORE = 300
  for (let i = 0; i < MORE; i++) ann.send({ room: 'busy', channel: 'talk', payload: PAYLOAD })
  expect(await take(slow, sent + MORE)).toEqual({ 'busy:talk': range(1, sent + MORE) })
})

describe('kinds of subscriptions', () => {
  /** Stalls a reader with these joins, publishes, lets it read, and expects each log without a gap. */
  const expectAll = async (
    slow: Awaited<ReturnType<typeof reader>>,
    messages: readonly Publish[],
    addresses: readonly string[],
  ) => {
    const ann = await publisher()
    slow.pause()
    const sent = await sendUntilBehind(ann, messages)
    slow.resume()
    const each = (at: number) => range(1, Math.floor((sent - at - 1) / addresses.length) + 1)
    expect(await take(slow, sent)).toEqual(Object.fromEntries(addresses.map((address, at) => [address, each(at)])))
    for (const message of messages) ann.send(message)
    const more = Object.values(await take(slow, messages.length)).flat()
    expect(more).toEqual(addresses.map((_, at) => each(at).length + 1))
  }

  test('a slow consumer catches up with a whole room', async () => {
    const channels = ['one', 'two', 'three']
    await expectAll(
      await reader('wide:*'),
      channels.map((channel) => ({ room: 'wide', channel })),
      channels.map((channel) => `wide:${channel}`),
    )
  })

  test('a slow consumer catches up with channels of several rooms', async () => {
    const rooms = ['several-a', 'several-b']
    await expectAll(
      await reader(...rooms.map((room) => `${room}:talk`)),
      rooms.map((room) => ({ room, channel: 'talk' })),
      rooms.map((room) => `${room}:talk`),
    )
  })

  test('a slow consumer catches up with a private channel, joined directly or with its room', async () => {
    for (const join of ['secret-a:cellar', 'secret-b:*']) {
      const room = join.slice(0, join.indexOf(':'))
      const ann = await publisher()
      await ann.command('create_channel', {
        channel: `${room}:cellar`,
        type: 'private',
        metadata: { members: [`reader-${count + 1}`] },
      })
      await expectAll(await reader(join), [{ room, channel: 'cellar' }], [`${room}:cellar`])
    }
  })

  test('a slow consumer catches up with the broadcast of a room', async () => {
    await expectAll(await reader('loud:talk'), [{ room: 'loud', channel: '*' }], ['loud:*'])
  })

  test('a slow consumer catches up with its inbox', async () => {
    const slow = await reader('post:office')
    await expectAll(slow, [{ room: 'post', type: 'private', channel: 'pm', metadata: { to: slow.id } }], ['post:pm'])
  })

  test('a slow consumer catches up with all kinds of subscriptions at once', async () => {
    const slow = await reader('mixed:*', 'other:talk')
    const messages = [
      { room: 'mixed', channel: 'one' },
      { room: 'mixed', channel: 'two' },
      { room: 'mixed', channel: '*' },
      { room: 'other', channel: 'talk' },
      { room: 'mixed', type: 'private', channel: 'pm', metadata: { to: slow.id } },
    ] as const
    await expectAll(slow, messages, ['mixed:one', 'mixed:two', 'mixed:*', 'other:talk', 'mixed:pm'])
  })
})

test('a slow consumer of a live-only channel continues with new messages and does not get those it missed', async () => {
  const [slow, ann] = [await reader('integriguard:telemetry-stream'), await publisher()]
  const fallbacks = () => bus.metric('arqonbus_slow_fallbacks_total')
  const before = await fallbacks()
  let sent = 0
  const send = async (events: number) => {
    for (let i = 0; i < events; i++) {
      const payload = { eventType: 'noise', payload: { i: sent++, ...PAYLOAD } }
      ann.send({ type: 'telemetry', room: 'integriguard', channel: 'telemetry-stream', payload })
    }
    await ann.command('ping')
  }
  slow.pause()
  while ((await behind()) === 0 && sent < MOST) await send(60)
  // It stays behind while its buffer is full, however often it is checked.
  for (let i = 0; i < 5; i++) {
    tick()
    await send(40)
  }
  expect([await behind(), await fallbacks()]).toEqual([1, before + 1])
  slow.resume()
  await eventually(async () => {
    tick()
    expect(await behind()).toBe(0)
  })
  await send(1)
  const got: number[] = []
  while (got.at(-1) !== sent - 1) {
    const { eventType, payload } = (await slow.next()).payload as { eventType: string; payload: { i: number } }
    // The bus emits events about the slow reader too.
    if (eventType === 'noise') got.push(payload.i)
  }
  const prefix = got.slice(0, -1)
  expect(prefix).toEqual(range(0, prefix.length - 1))
  expect(prefix.length).toBeLessThan(sent - 200)
})

test('several slow consumers at once all get everything', async () => {
  const slow = await Promise.all(Array.from({ length: 5 }, () => reader('crowd:talk', 'crowd:other')))
  const ann = await publisher()
  for (const one of slow) one.pause()
  const sent = await sendUntilBehind(
    ann,
    [
      { room: 'crowd', channel: 'talk' },
      { room: 'crowd', channel: 'other' },
    ],
    slow.length,
  )
  for (const one of slow) one.resume()
  const all = { 'crowd:talk': range(1, Math.ceil(sent / 2)), 'crowd:other': range(1, Math.floor(sent / 2)) }
  for (const one of slow) expect(await take(one, sent)).toEqual(all)
})

test('a slow consumer that is cut while behind returns with its last position and misses nothing', async () => {
  const [slow, ann] = [await reader('cut:talk'), await publisher()]
  slow.pause()
  const sent = await sendUntilBehind(ann, [{ room: 'cut', channel: 'talk' }])
  slow.resume()
  const before = await take(slow, 50)
  const last = await slow.next()
  slow.destroy()
  const again = await reader()
  again.ask('join_channel', { channel: 'cut:talk', since: last.metadata?.position })
  expect((await again.next()).payload).toMatchObject({ result: { recovered: true, missed: sent - 51 } })
  expect([before, await take(again, sent - 51)]).toEqual([
    { 'cut:talk': range(1, 50) },
    { 'cut:talk': range(52, sent) },
  ])
})

describe('slow consumers that have fallen off the log', () => {
  const KEPT = 30
  /**
   * Creates a channel with a short history, and a reader that reads nothing until it has fallen off the log; it is
   * closed although it reads nothing yet.
   */
  const stall = async (room: string) => {
    const [slow, ann, before] = [await reader(), await publisher(), await closures()]
    await ann.command('create_channel', { channel: `${room}:short`, options: { history_size: KEPT } })
    slow.ask('join_channel', { channel: `${room}:short` })
    await slow.next()
    slow.pause()
    const sent = await sendUntil(ann, [{ room, channel: 'short' }], async () => (await closures()) > before)
    slow.resume()
    return { slow, ann, sent }
  }
  const readToEnd = async (slow: Awaited<ReturnType<typeof reader>>) => {
    const { code } = await slow.ended
    const messages: Message[] = []
    for (;;) {
      // Earlier messages are still delivered; after them there is nothing to wait for.
      const message = await slow.next().catch(() => undefined)
      if (message === undefined) return { code, messages }
      messages.push(message)
    }
  }

  test('a slow consumer that has fallen off the log is closed with 4429 after everything sent to it', async () => {
    const { slow, sent } = await stall('fallen')
    const { code, messages } = await readToEnd(slow)
    const numbers = messages.map(numberOf)
    expect(code).toBe(4429)
    expect(numbers).toEqual(range(1, numbers.length))
    expect(numbers.length).toBeLessThan(sent)
  })

  test('a slow consumer closed for falling off the log returns, learns of the gap, gets what is kept and becomes live', async () => {
    const { slow, ann, sent } = await stall('back')
    const last = (await readToEnd(slow)).messages.at(-1)
    const again = await bus.connect({ query: { client_id: `again-${++count}` } })
    const joined = await again.command('join_channel', { channel: 'back:short', since: last!.metadata!.position! })
    expect(joined).toMatchObject({
      recovered: false,
      reason: 'trimmed',
      missed: KEPT,
    })
    await ann.publish({ room: 'back', channel: 'short' })
    expect((await again.messages()).map(numberOf)).toEqual(range(sent - KEPT + 1, sent + 1))
  })
})
