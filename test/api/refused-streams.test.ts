/**
 * Refused streams, as clients other than browsers see them. What a browser does is in
 * `packages/console/test/event-source.test.ts`, and the outage of Redis in `../redis/api.test.ts`.
 */
import { expect, test } from 'bun:test'
import { createSlowLog, dial, eventually, startBus, type TestBus } from '@arqonbus/testing'
import { as, caller, EVENTS, messagesOf, openStream, openStreamAt, streamOf, streamOfAll } from './call.ts'

/** Opens a stream as a browser does, and expects its one event to be a refusal. */
async function refusedOf(bus: TestBus, path: string, headers = {}) {
  const stream = await openStreamAt(bus.httpUrl, path, { ...EVENTS, ...headers })
  expect([stream.status, stream.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8'])
  const { event, id, data, retry } = (await stream.next())!
  expect([event, id, await stream.next()]).toEqual(['refused', undefined, undefined])
  return { error: JSON.parse(data).error, retry: Number(retry), stream }
}

const counted = (bus: TestBus, code: string) => bus.metric(`arqonbus_http_streams_refused_total{code="${code}"}`)

test('a stream over the limit is an event that says when to reconnect, to a request for events alone', async () => {
  const bus = await startBus({ apiStreams: 1 })
  const open = await openStream(bus.httpUrl, 'a:b')
  await open.nextOf('joined')
  for (const accept of ['text/event-stream', 'application/json, Text/Event-Stream;q=0.5']) {
    const { error, retry } = await refusedOf(bus, streamOf('a:b'), { accept })
    expect(error).toEqual({
      code: 'rate_limited',
      status: 429,
      message: expect.any(String),
      details: { limit: 'api_streams', most: 1 },
      retry_after_ms: 1000,
    })
    expect(retry).toBeWithin(1000, 4001)
  }
  expect(await counted(bus, 'rate_limited')).toBe(2)
  for (const accept of ['*/*', 'application/json', 'text/event-streams', 'text/*']) {
    const { status, headers } = await caller(bus.httpUrl)(streamOf('a:b'), { headers: { accept } })
    expect([accept, status, headers.get('retry-after')]).toEqual([accept, 429, '1'])
  }
  expect(await counted(bus, 'rate_limited')).toBe(2)
  open.close()
})

test('readers that are refused together are asked to reconnect at different times, and after the wait of the refusal', async () => {
  const bus = await startBus({ apiRate: { perSecond: 0.1, burst: 1 } })
  const call = caller(bus.httpUrl)
  await call('/status')
  const retries = new Set<number>()
  for (let n = 0; n < 20; n++) {
    const { error, retry } = await refusedOf(bus, streamOf('a:b'))
    expect(error).toMatchObject({ code: 'rate_limited', details: { limit: 'api_rate' } })
    expect(retry).toBeWithin(error.retry_after_ms, error.retry_after_ms + 3001)
    retries.add(retry - error.retry_after_ms)
  }
  expect(retries.size).toBeGreaterThan(5)
})

test('a stream that opens says when to reconnect after a lost connection', async () => {
  const bus = await startBus()
  const stream = await openStream(bus.httpUrl, 'a:b')
  const { event, retry } = (await stream.next())!
  expect(event).toBe('welcome')
  expect(Number(retry)).toBeWithin(1000, 4001)
  stream.close()
})

test('a full channel and a client id in use are temporary for a stream, and become a stream when that has passed', async () => {
  const bus = await startBus({ maxParticipants: 1 })
  const first = await openStream(bus.httpUrl, 'full:a', as('one'))
  await first.nextOf('joined')
  // The channel does not exist before somebody joins it.
  await caller(bus.httpUrl)(messagesOf('full', 'a'), { body: '{"payload":{}}' })
  await first.nextOf('message')
  expect((await refusedOf(bus, streamOf('full:a'))).error.code).toBe('channel_full')
  expect((await refusedOf(bus, streamOf('full:b'), as('one'))).error.code).toBe('client_id_in_use')
  first.close()
  await eventually(async () => {
    const again = await openStreamAt(bus.httpUrl, streamOf('full:a'), { ...EVENTS, ...as('one') })
    const { event } = (await again.next())!
    again.close()
    expect(event).toBe('welcome')
  })
})

test('a refusal that does not pass by itself is a status also for a request for events', async () => {
  const bus = await startBus({ autoCreate: false, maxSubscriptions: 2 })
  const more = ['one', 'two', 'three'].map((name) => `science:${name}`)
  for (const channel of more)
    await caller(bus.httpUrl)('/commands/create_channel', { body: JSON.stringify({ channel }), headers: as('maker') })
  const wrong: [string, Record<string, string>, number, string][] = [
    [streamOf('none:a'), {}, 404, 'room_not_found'],
    [streamOf('arqonbus:x'), {}, 403, 'system_channel'],
    [`${streamOf('science:one')}?since=yesterday`, {}, 400, 'invalid_parameters'],
    [streamOf('science:one'), { authorization: 'Bearer wrong' }, 401, 'unauthenticated'],
    [streamOf('science:one'), { origin: 'http://elsewhere.example' }, 403, 'forbidden'],
    [streamOfAll(...more), {}, 429, 'too_many_subscriptions'],
  ]
  for (const [path, headers, status, code] of wrong) {
    const { status: got, body } = await caller(bus.httpUrl)(path, { headers: { ...EVENTS, ...headers } })
    expect([path, got, body.error.code]).toEqual([path, status, code])
  }
  expect(await bus.metric('arqonbus_http_streams')).toBe(0)
})

test('while it drains, a server closes the connection of each response, and refuses streams as temporary', async () => {
  const bus = await startBus({ drainTimeoutMs: 3_600_000, rateLimit: null, historySize: 100 })
  // A stream that is not read holds the drain up.
  const unread = await dial(bus.httpUrl)
  unread.write(`GET /api/v1${streamOf('a:b')} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
  await unread.head()
  unread.pause()
  const writer = await bus.as('writer')
  for (let n = 0; n < 100; n++)
    await writer.publish({ room: 'a', channel: 'b', payload: { text: 'x'.repeat(100_000) } })
  const drained = bus.drain('a test')
  await eventually(async () => expect((await refusedOf(bus, streamOf('a:b'))).error.code).toBe('shutting_down'))
  const { error, stream } = await refusedOf(bus, streamOf('a:b'))
  expect([error.code, stream.headers.get('connection')]).toEqual(['shutting_down', 'close'])
  const paths = ['/health', '/ready', '/metrics', '/api/v1/status', '/openapi.json', '/none']
  const requests = paths.map(async (path) => {
    const raw = await dial(bus.httpUrl)
    raw.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
    const { headers } = await raw.head()
    await raw.ended
    return headers.get('connection')
  })
  expect(await Promise.all(requests)).toEqual(paths.map(() => 'close'))
  unread.destroy()
  await drained
})

test('the connection of a stream that ends is closed', async () => {
  const bus = await startBus({ adminKey: 'k'.repeat(32) })
  const raw = await dial(bus.httpUrl)
  raw.write(`GET /api/v1${streamOf('a:b')} HTTP/1.1\r\nHost: 127.0.0.1\r\nArqonbus-Client-Id: ended\r\n\r\n`)
  expect((await raw.head()).headers.get('connection')).toBe('close')
  await eventually(() => expect(raw.body()).toContain('event: joined'))
  await caller(bus.httpUrl)('/commands/disconnect_client', {
    body: '{"client_id":"ended"}',
    headers: { authorization: `Bearer ${'k'.repeat(32)}` },
  })
  await raw.ended
  expect(raw.body()).toContain('event: closed')
})

test('a stream that an admin ends while its log is still asked is answered, with the reason', async () => {
  const log = createSlowLog({ recent: 10 })
  const bus = await startBus({ adminKey: 'k'.repeat(32) }, { log: log.forBus })
  const call = caller(bus.httpUrl)
  const published = call(messagesOf('slow', 'a'), { body: '{"payload":{}}' })
  await log.until(({ arrivals }) => arrivals > 0)
  log.store()
  log.tell()
  await published
  const opening = openStreamAt(bus.httpUrl, `${streamOf('slow:a')}?since=1-1`, as('slow-reader'))
  await log.until(({ arrivals }) => arrivals > 0)
  await call('/commands/disconnect_client', {
    body: '{"client_id":"slow-reader"}',
    headers: { authorization: `Bearer ${'k'.repeat(32)}` },
  })
  const stream = await opening
  expect(JSON.parse((await stream.nextOf('closed')).data).code).toBe(4411)
  expect(await stream.next()).toBeUndefined()
  expect(await bus.metric('arqonbus_http_streams')).toBe(0)
})
