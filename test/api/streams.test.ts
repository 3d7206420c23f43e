import { afterAll, describe, expect, test } from 'bun:test'
import { dial, eventually, startBus, textOf } from '@arqonbus/testing'
import { as, caller, messagesOf, openStream, type Stream } from './call.ts'

const adminKey = 'k'.repeat(32)
const bus = await startBus({ adminKey, historySize: 1000 })
const call = caller(bus.httpUrl)
const byAdmin = { authorization: `Bearer ${adminKey}` }
const opened: Stream[] = []
afterAll(() => {
  for (const stream of opened) stream.close()
})

const open = async (channel: string, headers: Record<string, string> = {}) => {
  const stream = await openStream(bus.httpUrl, channel, headers)
  opened.push(stream)
  return stream
}
const say = async (channel: string, text: string) => {
  const [room, name] = channel.split(':') as [string, string]
  return (await call(messagesOf(room, name), { body: JSON.stringify({ payload: { text } }) })).body.position as string
}
const textIn = (data: string): string => JSON.parse(data).payload.text

describe('a stream', () => {
  test('a stream delivers the same messages as a connection, each with its position as event id', async () => {
    const stream = await open('live:a')
    expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    expect((await stream.next())?.event).toBe('welcome')
    expect(JSON.parse((await stream.next())!.data)).toMatchObject({ channel: 'live:a' })
    const reader = await bus.as('by-socket', 'live:a')
    const writer = await connectWithoutEcho()
    await writer.publish({ room: 'live', channel: 'a', payload: { text: 'without echo' } })
    const position = await say('live:a', 'by HTTP')
    const events = [await stream.nextOf('message'), await stream.nextOf('message')]
    expect(events.map(({ data }) => textIn(data))).toEqual(['without echo', 'by HTTP'])
    expect(events[1]!.id).toBe(position)
    expect((await reader.messages()).map(textOf)).toEqual(events.map(({ data }) => data))
  })

  const connectWithoutEcho = () => bus.connect({ query: { client_id: 'quiet', echo: 'false', join: 'live:a' } })

  test('a stream that returns with its last event id gets what it missed and then new messages, each once', async () => {
    const stream = await open('missed:a')
    await stream.nextOf('joined')
    await say('missed:a', '0')
    const { id } = await stream.nextOf('message')
    stream.close()
    for (let n = 1; n <= 600; n++) await say('missed:a', String(n))
    const later = await open('missed:a', { 'last-event-id': id! })
    const joined = await later.nextOf('joined')
    expect([JSON.parse(joined.data).recovered, joined.id]).toEqual([true, id])
    const live = say('missed:a', '601')
    const texts: string[] = []
    while (texts.length < 601) texts.push(textIn((await later.nextOf('message')).data))
    await live
    expect(texts).toEqual(Array.from({ length: 601 }, (_, n) => String(n + 1)))
  }, 120_000)

  test('a stream whose position is gone gets a gap notice, then the kept messages, then new ones', async () => {
    const first = await say('gone:a', 'first')
    const stream = await open('gone:a', { 'last-event-id': '1-0' })
    const gap = await stream.nextOf('gap')
    expect(JSON.parse(gap.data)).toMatchObject({
      type: 'system',
      room: 'gone',
      channel: 'a',
      payload: { event: 'gap', reason: 'reset', after: '1-0', next: expect.stringMatching(/-0$/) },
    })
    await say('gone:a', 'second')
    const events = [await stream.nextOf('message'), await stream.nextOf('message')]
    expect(events.map(({ data }) => textIn(data))).toEqual(['first', 'second'])
    expect(events[0]!.id).toBe(first)
  })

  test('a stream that returns to a restarted server gets everything published there', async () => {
    const before = await startBus()
    const beforeCall = caller(before.httpUrl)
    const publish = (to: typeof call, text: string) =>
      to(messagesOf('anew', 'a'), { body: JSON.stringify({ payload: { text } }) })
    const { position } = (await publish(beforeCall, 'old')).body
    await before.drain('a test')
    const again = await startBus()
    for (const text of ['1', '2']) await publish(caller(again.httpUrl), text)
    const stream = await openStream(again.httpUrl, 'anew:a', { 'last-event-id': position })
    opened.push(stream)
    expect(JSON.parse((await stream.nextOf('gap')).data).payload).toMatchObject({ reason: 'reset', after: position })
    const texts = [await stream.nextOf('message'), await stream.nextOf('message')].map(({ data }) => textIn(data))
    expect(texts).toEqual(['1', '2'])
  })

  test('a stream that had everything of a channel that was deleted and recreated gets no gap notice', async () => {
    const create = () => call('/commands/create_channel', { body: '{"channel":"remade:a"}', headers: as('maker') })
    await create()
    const last = await say('remade:a', 'old')
    await call('/commands/delete_channel', { body: '{"channel":"remade:a"}', headers: byAdmin })
    await create()
    await say('remade:a', 'new')
    const stream = await open('remade:a', { 'last-event-id': last })
    const joined = await stream.nextOf('joined')
    expect(JSON.parse(joined.data)).toMatchObject({ recovered: false, reason: 'reset', complete: true, missed: 1 })
    const next = (await stream.next())!
    expect([next.event ?? 'message', textIn(next.data)]).toEqual(['message', 'new'])
  })

  test('line ends in a payload stay within one event of a stream', async () => {
    const stream = await open('lines:a')
    await stream.nextOf('joined')
    await call(messagesOf('lines', 'a'), { body: '{"payload":{\r\n"text":\n"whole"\r}}' })
    expect(textIn((await stream.nextOf('message')).data)).toBe('whole')
  })

  test('a stream delivers broadcasts of the room without an event id to resume from', async () => {
    await say('wide:a', 'before')
    const stream = await open('wide:a')
    await stream.nextOf('joined')
    await call(messagesOf('wide', '*'), { body: '{"payload":{"text":"to all"}}' })
    const { data, id } = await stream.nextOf('message')
    expect([textIn(data), JSON.parse(data).channel, id]).toEqual(['to all', '*', undefined])
  })

  test('a stream is a participant and a client while it is open, and neither afterwards', async () => {
    await say('counted:a', 'before')
    const stream = await open('counted:a', as('streamer'))
    await stream.nextOf('joined')
    expect((await call('/rooms/counted/channels/a')).body.channel.participants).toEqual(['streamer'])
    expect(await bus.metric('arqonbus_http_streams')).toBeGreaterThan(0)
    expect((await call(messagesOf('counted', 'a'), { body: '{"payload":{}}', headers: as('streamer') })).status).toBe(
      409,
    )
    stream.close()
    await eventually(async () =>
      expect((await call('/rooms/counted/channels/a')).body.channel.participants).toEqual([]),
    )
  })

  test('a stream whose reader leaves while it is being opened leaves nothing behind', async () => {
    const before = await bus.metric('arqonbus_http_streams')
    const tries = Array.from({ length: 50 }, async (_, n) => {
      const abort = new AbortController()
      const asked = fetch(`${bus.httpUrl}/api/v1/rooms/hasty/channels/a/stream`, { signal: abort.signal })
      if (n % 2 === 0) await bus.metric('arqonbus_http_streams')
      abort.abort()
      await asked.catch(() => {})
    })
    await Promise.all(tries)
    await eventually(async () => expect(await bus.metric('arqonbus_http_streams')).toBe(before))
  })

  test('a stream is subject to the rules of a join', async () => {
    const owner = await bus.as('owner')
    await owner.command('create_channel', { channel: 'closed:a', type: 'private' })
    await owner.close()
    const proof = { ...as('owner'), 'arqonbus-session': owner.welcome.session }
    const refused = await call('/rooms/closed/channels/a/stream', { headers: as('stranger') })
    expect([refused.status, refused.body.error.code]).toEqual([403, 'forbidden'])
    const stream = await eventually(() => open('closed:a', proof))
    expect((await stream.nextOf('joined')).data).toContain('closed:a')
    expect((await call('/rooms/closed/channels/a/stream', { headers: as('owner') })).status).toBe(409)
    const wrongKey = { authorization: 'Bearer wrong' }
    expect((await call('/rooms/closed/channels/a/stream', { headers: wrongKey })).status).toBe(401)
    expect((await call('/clients')).body.clients).not.toContainEqual(expect.objectContaining({ client_id: 'stranger' }))
  })

  test('a stream that names a channel type is refused for a channel of another type', async () => {
    await call('/commands/create_channel', { body: '{"channel":"types:open"}', headers: as('maker') })
    const path = '/rooms/types/channels/open/stream?type='
    const refused = await call(`${path}private`, { headers: as('reader-of-types') })
    expect([refused.status, refused.body.error]).toMatchObject([
      409,
      { code: 'channel_type_mismatch', details: { expected: 'private', actual: 'general' } },
    ])
    expect((await call(`${path}closed`, { headers: as('reader-of-types') })).status).toBe(400)
    const waiting = await openStream(bus.httpUrl, 'types:missing', as('reader-of-types'), '?type=private')
    opened.push(waiting)
    expect(JSON.parse((await waiting.nextOf('joined')).data)).toMatchObject({ waiting: true })
    await call('/commands/create_channel', { body: '{"channel":"types:missing"}', headers: as('maker') })
    expect(JSON.parse((await waiting.nextOf('closed')).data)).toMatchObject({ code: 4403 })
    const sure = await openStream(bus.httpUrl, 'types:open', {}, '?type=general')
    opened.push(sure)
    expect(JSON.parse((await sure.nextOf('joined')).data)).toMatchObject({ type: 'general' })
  })

  test('an admin can end a stream, which receives the close code and the reason', async () => {
    const stream = await open('ended:a', as('to-be-ended'))
    await stream.nextOf('joined')
    await call('/commands/disconnect_client', {
      body: '{"client_id":"to-be-ended","reason":"enough"}',
      headers: { authorization: `Bearer ${adminKey}` },
    })
    expect(JSON.parse((await stream.nextOf('closed')).data)).toEqual({ code: 4411, reason: 'enough' })
    expect(await stream.next()).toBeUndefined()
  })
})

test('a stream over the limit is refused with 429 and a retry time, and counted', async () => {
  const few = await startBus({ apiStreams: 1 })
  const stream = await openStream(few.httpUrl, 'a:b')
  await stream.nextOf('joined')
  const { status, headers, body } = await caller(few.httpUrl)('/rooms/a/channels/b/stream')
  expect([status, headers.get('retry-after'), body.error.details]).toEqual([
    429,
    '1',
    { limit: 'api_streams', most: 1 },
  ])
  expect(await few.metric('arqonbus_limits_hit_total{limit="api_streams"}')).toBe(1)
  stream.close()
})

test('a heartbeat keeps a stream open and sends only comments', async () => {
  const quick = await startBus({ pingIntervalMs: 20, pingTimeoutMs: 200 })
  const response = await fetch(`${quick.httpUrl}/api/v1/rooms/a/channels/b/stream`)
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  while ((text.match(/^:$/gm)?.length ?? 0) < 20) text += (await reader.read()).value
  expect(text).not.toContain('event: closed')
  await reader.cancel()
})

test('a stream that is not read is closed with 4429 once it falls off the log', async () => {
  const slow = await startBus({
    historySize: 20,
    sendBufferSoftLimit: 16 * 1024,
    sendBufferHardLimit: 2 * 1024 * 1024,
    rateLimit: null,
  })
  const ask = caller(slow.httpUrl)
  const stream = await openStream(slow.httpUrl, 'a:b')
  const text = 'x'.repeat(100_000)
  const writer = await slow.as('writer')
  await eventually(
    async () => {
      for (let n = 0; n < 20; n++) await writer.publish({ room: 'a', channel: 'b', payload: { text } })
      expect(await slow.metric('arqonbus_slow_consumers_closed_total')).toBe(1)
    },
    { everyMs: 1 },
  )
  expect(JSON.parse((await stream.nextOf('closed')).data)).toMatchObject({ code: 4429 })
  await eventually(async () => expect((await ask('/rooms/a/channels/b')).body.channel.participants).toEqual([]))
}, 120_000)

test('a drain does not wait for a stream that is not read or for an incomplete body', async () => {
  const bus = await startBus({ drainTimeoutMs: 300, historySize: 100, rateLimit: null })
  const stream = await openStream(bus.httpUrl, 'a:b')
  const writer = await bus.as('writer')
  for (let n = 0; n < 100; n++)
    await writer.publish({ room: 'a', channel: 'b', payload: { text: 'x'.repeat(100_000) } })
  const half = await dial(bus.httpUrl)
  half.write(
    'POST /api/v1/commands/ping HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
  )
  // A drain that waited for either would hang.
  await bus.drain('a test')
  expect((await half.ended).code).toBeUndefined()
  stream.close()
}, 120_000)

test('a drain answers calls in progress, asks streams to reconnect and ends them', async () => {
  const bus = await startBus({ drainTimeoutMs: 3_600_000 })
  const ask = caller(bus.httpUrl)
  const stream = await openStream(bus.httpUrl, 'a:b')
  await stream.nextOf('joined')
  const calls = Array.from({ length: 20 }, () => ask(messagesOf('a', 'b'), { body: '{"payload":{}}' }))
  // One is answered, so the others have arrived too.
  await Promise.race(calls)
  const drained = bus.drain('a test')
  const shutdown = await stream.nextOf('shutdown')
  const { reconnect_after_ms: after } = JSON.parse(shutdown.data).payload
  expect(shutdown.retry).toBe(String(after))
  expect(JSON.parse((await stream.nextOf('closed')).data).code).toBe(1012)
  expect(await stream.next()).toBeUndefined()
  for (const { status, body } of await Promise.all(calls)) {
    if (status !== 201) expect([status, body.error.code]).toEqual([503, 'shutting_down'])
  }
  await drained
})
