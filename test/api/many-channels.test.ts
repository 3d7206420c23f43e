/** One stream of several channels: what each event says, and how a reader continues in all of them. */
import { afterAll, expect, test } from 'bun:test'
import { eventually, startBus, type TestBus } from '@arqonbus/testing'
import {
  as,
  caller,
  EVENTS,
  messagesOf,
  openStreamAt,
  type Stream,
  type StreamEvent,
  streamOf,
  streamOfAll,
} from './call.ts'

const adminKey = 'k'.repeat(32)
const bus = await startBus({ adminKey, historySize: 1000, apiStreamChannels: 3 })
const call = caller(bus.httpUrl)
const opened: Stream[] = []
afterAll(() => {
  for (const stream of opened) stream.close()
})

const openAt = async (path: string, headers: Record<string, string> = {}, at: TestBus = bus) => {
  const stream = await openStreamAt(at.httpUrl, path, headers)
  opened.push(stream)
  return stream
}
const open = (channels: readonly string[], last?: string) =>
  openAt(streamOfAll(...channels), last === undefined ? {} : { 'last-event-id': last })

const say = async (channel: string, text: string) => {
  const [room, name] = channel.split(':') as [string, string]
  const { body } = await call(messagesOf(room, name), { body: JSON.stringify({ payload: { text } }) })
  return body.position as string
}
/** What an event says, and where. */
const said = ({ data }: StreamEvent): string => {
  const { room, channel, payload } = JSON.parse(data)
  return `${room}:${channel} ${payload.text}`
}
const messages = async (stream: Stream, count: number): Promise<StreamEvent[]> => {
  const events: StreamEvent[] = []
  while (events.length < count) events.push(await stream.nextOf('message'))
  return events
}
const joinsOf = async (stream: Stream, count: number) => {
  const joins: Record<string, unknown>[] = []
  while (joins.length < count) joins.push(JSON.parse((await stream.nextOf('joined')).data))
  return joins
}

test('a stream of several channels joins each of them, in one client, and names the channel of each event', async () => {
  const channels = ['one:a', 'one:b', 'two:a']
  for (const channel of channels) await say(channel, 'before')
  const stream = await openAt(streamOfAll(...channels), as('reader-of-three'))
  expect((await stream.next())?.event).toBe('welcome')
  expect((await joinsOf(stream, 3)).map(({ channel }) => channel)).toEqual(channels)
  for (const channel of ['two:a', 'one:a', 'one:b', 'two:a']) await say(channel, 'now')
  expect((await messages(stream, 4)).map(said)).toEqual(['two:a now', 'one:a now', 'one:b now', 'two:a now'])
  await say('one:*', 'to the room')
  const { data, id } = await stream.nextOf('message')
  // Once, though the stream is in two channels of the room.
  expect([said({ data } as StreamEvent), id]).toEqual(['one:* to the room', undefined])
  await say('one:a', 'the next')
  expect(said(await stream.nextOf('message'))).toBe('one:a the next')
  const readers = async () => {
    const { clients } = (await call('/clients')).body
    return clients.filter(({ client_id }: { client_id: string }) => client_id === 'reader-of-three')
  }
  expect(await readers()).toHaveLength(1)
  stream.close()
  await eventually(async () => expect(await readers()).toEqual([]))
})

test('a stream of several channels continues in each of them from any of its event ids, without gaps or duplicates', async () => {
  const channels = ['on:a', 'on:b', 'on:c']
  for (const channel of channels) await say(channel, '0')
  const stream = await open(channels)
  await joinsOf(stream, 3)
  const order = Array.from({ length: 30 }, (_, n) => channels[(n * n + (n >> 2)) % 3]!)
  for (const [n, channel] of order.entries()) await say(channel, `${n + 1}`)
  const events = await messages(stream, 30)
  expect(events.map(said)).toEqual(order.map((channel, n) => `${channel} ${n + 1}`))
  stream.close()
  const live: string[] = []
  for (const [at, { id }] of events.entries()) {
    const again = await open(channels.toReversed(), id)
    const missed = [...events.slice(at + 1).map(said), ...live]
    expect(byChannel((await messages(again, missed.length)).map(said))).toEqual(byChannel(missed))
    // And nothing else: the next is a new one.
    await say('on:b', `live ${at}`)
    live.push(`on:b live ${at}`)
    expect(said(await again.nextOf('message'))).toBe(live.at(-1)!)
    again.close()
  }
})

/** Each channel has its own order. */
const byChannel = (all: readonly string[]): readonly string[] =>
  all.toSorted((one, other) => one.split(' ')[0]!.localeCompare(other.split(' ')[0]!))

test('a channel that did not exist is new to a stream that reconnects after it was created', async () => {
  await say('young:a', 'old')
  const channels = ['young:a', 'young:b']
  const stream = await open(channels)
  expect(await joinsOf(stream, 2)).toMatchObject([{ channel: 'young:a' }, { channel: 'young:b', waiting: true }])
  await say('young:a', 'first')
  const { id } = await stream.nextOf('message')
  stream.close()
  for (const text of ['1', '2']) await say('young:b', text)
  const later = await open(channels, id)
  expect((await messages(later, 2)).map(said)).toEqual(['young:b 1', 'young:b 2'])
  // While it is open, too.
  const waiting = await open(['young:a', 'young:c'])
  await joinsOf(waiting, 2)
  await say('young:c', 'new')
  expect(said(await waiting.nextOf('message'))).toBe('young:c new')
})

test('a channel that was created and has lost messages since then has a gap for a stream that reconnects', async () => {
  const small = await startBus({ historySize: 2 })
  const publish = (channel: string, n: number) =>
    caller(small.httpUrl)(messagesOf('lost', channel), { body: `{"payload":{"text":"${n}"}}` })
  await publish('a', 0)
  const path = streamOfAll('lost:a', 'lost:b')
  const stream = await openAt(path, {}, small)
  await joinsOf(stream, 2)
  await publish('a', 1)
  const { id } = await stream.nextOf('message')
  stream.close()
  for (let n = 1; n <= 5; n++) await publish('b', n)
  const later = await openAt(path, { 'last-event-id': id! }, small)
  const gap = JSON.parse((await later.nextOf('gap')).data)
  expect(gap).toMatchObject({ room: 'lost', channel: 'b', payload: { event: 'gap' } })
  expect((await messages(later, 2)).map(said)).toEqual(['lost:b 4', 'lost:b 5'])
})

test('a stream of several channels is refused as a whole if one of them is', async () => {
  await call('/commands/create_channel', { body: '{"channel":"shut:a","type":"private"}', headers: as('owner') })
  await say('shut:b', 'open')
  const path = streamOfAll('shut:b', 'shut:a')
  const refused = await call(path, { headers: { ...EVENTS, ...as('stranger') } })
  expect([refused.status, refused.body.error.code]).toEqual([403, 'forbidden'])
  expect((await call('/rooms/shut/channels/b')).body.channel.participants).toEqual([])
  const waiting = await openAt(streamOfAll('shut:b', 'shut:c'), as('stranger'))
  await joinsOf(waiting, 2)
  await call('/commands/create_channel', { body: '{"channel":"shut:c","type":"private"}', headers: as('owner') })
  expect(JSON.parse((await waiting.nextOf('closed')).data).code).toBe(4403)
})

test('a request for more channels than allowed, for none, or for what is no channel is refused and says what to do', async () => {
  const { id } = await (await open(['wrong:a', 'wrong:b'])).nextOf('joined')
  const wrong: [string, string, string][] = [
    [streamOfAll('a:1', 'a:2', 'a:3', 'a:4'), '/query/channel', 'at most 3 channels: ARQONBUS_API_STREAM_CHANNELS'],
    ['/stream', '/query/channel', 'an address'],
    [streamOfAll('a:1', 'a:1'), '/query/channel', 'different'],
    [streamOfAll('a:*'), '/query/channel', 'whole rooms have no stream'],
    [streamOfAll('a'), '/query/channel', 'room:channel'],
    [`${streamOfAll('a:1')}&since=1-1`, '/query/since', 'the same channels'],
    [`${streamOfAll('wrong:a')}&since=${id}`, '/query/since', 'the same channels'],
    [`${streamOfAll('a:1')}&since_id=arq_1`, '/query/since_id', 'to be absent'],
    [`${streamOfAll('a:1')}&type=x`, '/parameters/type', ''],
  ]
  for (const [path, where, expected] of wrong) {
    const { status, body } = await call(path, { headers: EVENTS })
    expect([path, status, body.error.code, body.error.details.path]).toEqual([path, 400, 'invalid_parameters', where])
    expect(String(body.error.details.expected)).toContain(expected)
  }
  const last = await call(streamOfAll('a:1'), { headers: { 'last-event-id': '1-1' } })
  expect(last.body.error.details.path).toBe('/headers/last-event-id')
  expect(await bus.metric('arqonbus_limits_hit_total{limit="stream_channels"}')).toBe(1)
  expect(await bus.metric('arqonbus_limit{limit="stream_channels"}')).toBe(3)
})

test('with a rate whose burst is smaller, a stream has no more channels than its joins may be', async () => {
  const slow = await startBus({ rateLimit: { perSecond: 10, burst: 2 } })
  const { status, body } = await caller(slow.httpUrl)(streamOfAll('a:1', 'a:2', 'a:3'))
  expect([status, body.error.details]).toEqual([
    400,
    {
      path: '/query/channel',
      expected: 'at most 2 channels: ARQONBUS_RATE_LIMIT',
      limit: 'stream_channels',
      most: 2,
    },
  ])
  const stream = await openAt(streamOfAll('a:1', 'a:2'), {}, slow)
  expect(await joinsOf(stream, 2)).toMatchObject([{ waiting: true }, { waiting: true }])
})

test('the longest event id of a stream of the most channels fits into the head of a request', async () => {
  const wide = await startBus({ apiStreamChannels: 200, rateLimit: null })
  const channels = Array.from({ length: 200 }, (_, n) => `w:${n}`)
  const positions = channels.map(() => `${(Number.MAX_SAFE_INTEGER).toString(36)}.${(2 ** 40).toString(36)}`)
  const first = await openAt(streamOfAll(...channels), {}, wide)
  const [digest] = (await first.nextOf('joined')).id!.split('~')
  const path = streamOfAll(...channels)
  const later = await openAt(path, { 'last-event-id': [digest, ...positions].join('~') }, wide)
  expect((await joinsOf(later, 200)).length).toBe(200)
})

test('an event of one channel has its position as the id, as before', async () => {
  await say('plain:a', 'before')
  const stream = await openAt(streamOf('plain:a'))
  await stream.nextOf('joined')
  const position = await say('plain:a', 'now')
  expect((await stream.nextOf('message')).id).toBe(position)
})
