/**
 * HTTP requests of one address over its limits: refused with a code and counted, without effect on other addresses
 * (docs/guide/http-api.md#limits).
 */
import { describe, expect, test } from 'bun:test'
import { dial, eventually, startBus, type TestBus, testClock } from '@arqonbus/testing'
import { from } from './from.ts'

const limit = (name: string) => `arqonbus_limits_hit_total{limit="${name}"}`
const get = (bus: TestBus, path: string, address?: string, headers: Record<string, string> = {}) =>
  fetch(bus.httpUrl + path, { headers: { ...(address !== undefined && from(address)), ...headers } })
const codeOf = async (response: Response) => {
  const { error } = (await response.json()) as { error: { code: string; details: object; retry_after_ms: number } }
  return { status: response.status, retryAfter: response.headers.get('retry-after'), ...error }
}

/** Sends bytes in one piece, and waits until the server ends the connection. */
async function exchange(url: string, bytes: string): Promise<void> {
  const socket = await dial(url)
  socket.write(bytes)
  await socket.ended
}

describe('pipelined requests', () => {
  const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`

  test('up to 16 pipelined requests are answered in a turn, the last closes the connection, and the rest is not read', async () => {
    // A clock that stands still: every turn of the loop has time for all of them.
    const bus = await startBus({}, { clock: testClock() })
    for (const path of ['/version', '/api/v1/status']) await exchange(bus.httpUrl, request(path).repeat(2800))
    const route = (path: string) =>
      bus.metric(`arqonbus_http_requests_total{method="GET",route="${path}",status="200"}`)
    expect([await route('/version'), await route('/api/v1/status')]).toEqual([16, 16])
    expect(await bus.metric(limit('http_pipeline'))).toBe(2)
  })

  test('pipelined requests with long responses are answered only as far as the peer reads them', async () => {
    const bus = await startBus({}, { clock: testClock() })
    await exchange(bus.httpUrl, request('/metrics').repeat(2800))
    expect(await bus.metric('arqonbus_http_requests_total{method="GET",route="/metrics",status="200"}')).toBeWithin(
      1,
      17,
    )
  })

  test('a few pipelined requests are answered in order, and the connection stays open', async () => {
    // The runtime closes a connection if a request arrives while an earlier one has no response, so no request waits
    // for another turn.
    const bus = await startBus({}, { clock: testClock() })
    const socket = await dial(bus.httpUrl)
    socket.write(['/version', '/ready', '/nothing', '/health'].map(request).join(''))
    await eventually(() => expect(socket.body()).toContain('uptime_seconds'))
    const places = ['"protocol"', '"ready"', '"not_found"', '"uptime_seconds"'].map((text) =>
      socket.body().indexOf(text),
    )
    expect(places).toEqual(places.toSorted((a, b) => a - b))
    expect(socket.isOpen).toBe(true)
    socket.destroy()
  })

  test('pipelined requests to a WebSocket port end with the first refusal', async () => {
    const bus = await startBus()
    for (const url of [bus.busUrl, bus.telemetryUrl!]) await exchange(url, request('/').repeat(2800))
    expect(await bus.metric('arqonbus_connections_refused_total{reason="bad_request"}')).toBe(2)
  })
})

describe('HTTP_RATE', async () => {
  const bus = await startBus(
    { httpRate: { perSecond: 1, burst: 5 }, trustedProxies: ['loopback'] },
    { clock: testClock() },
  )
  const flood = async (path: string, address: string) => {
    for (let n = 0; n < 5; n++) expect((await get(bus, path, address)).status).not.toBe(429)
    return codeOf(await get(bus, path, address))
  }
  const refused = { status: 429, code: 'rate_limited', details: { limit: 'http_rate', per_second: 1 }, retryAfter: '1' }

  test('HTTP_RATE limits the requests of one address for every path outside the API', async () => {
    const before = await bus.metric(limit('http_rate'))
    for (const [n, path] of ['/metrics', '/version', '/', '/nothing', '/health', '/ready'].entries())
      expect([path, await flood(path, `203.0.113.${n}`)]).toEqual([path, expect.objectContaining(refused)])
    expect(await bus.metric(limit('http_rate'))).toBe(before + 6)
  })

  test('HTTP_RATE applies to all paths together, and probes have a rate of their own', async () => {
    await flood('/version', '198.51.100.1')
    expect((await get(bus, '/metrics', '198.51.100.1')).status).toBe(429)
    expect((await get(bus, '/health', '198.51.100.1')).status).toBe(200)
    await flood('/ready', '198.51.100.2')
    expect((await get(bus, '/health', '198.51.100.2')).status).toBe(429)
    expect((await get(bus, '/version', '198.51.100.2')).status).toBe(200)
  })

  test('HTTP_RATE refuses no other address, so that probes are answered during a flood', async () => {
    for (const path of ['/health', '/version']) await flood(path, '198.51.100.3')
    for (const path of ['/health', '/ready', '/metrics'])
      expect((await get(bus, path, '198.51.100.4')).status).toBe(200)
  })

  test('HTTP_RATE counts an IPv6 network of 64 bits as one address', async () => {
    for (let n = 1; n <= 5; n++) expect((await get(bus, '/version', `2001:db8::${n}`)).status).toBe(200)
    expect((await get(bus, '/version', '2001:db8::ffff')).status).toBe(429)
    expect((await get(bus, '/version', '2001:db8:0:1::1')).status).toBe(200)
  })
})

test('API_RATE limits the calls of one address under any client id, and of no other address', async () => {
  const bus = await startBus(
    { apiRate: { perSecond: 1, burst: 5 }, trustedProxies: ['loopback'] },
    { clock: testClock() },
  )
  const call = (address: string, id: string) => get(bus, '/api/v1/status', address, { 'arqonbus-client-id': id })
  for (let n = 0; n < 5; n++) expect((await call('203.0.113.1', `c${n}`)).status).toBe(200)
  expect(await codeOf(await call('203.0.113.1', 'c5'))).toMatchObject({ status: 429, details: { limit: 'api_rate' } })
  expect((await call('203.0.113.2', 'c0')).status).toBe(200)
  expect((await get(bus, '/version', '203.0.113.1')).status).toBe(200)
})

test('anonymous publishes of one address share one message rate, apart from other addresses', async () => {
  const bus = await startBus(
    { rateLimit: { perSecond: 1, burst: 5 }, trustedProxies: ['loopback'] },
    { clock: testClock() },
  )
  const publish = (address: string, id?: string) =>
    fetch(`${bus.httpUrl}/api/v1/rooms/a/channels/b/messages`, {
      method: 'POST',
      body: '{"payload":{}}',
      headers: {
        'content-type': 'application/json',
        ...from(address),
        ...(id !== undefined && { 'arqonbus-client-id': id }),
      },
    })
  for (let n = 0; n < 5; n++) expect((await publish('203.0.113.1')).status).toBe(201)
  expect((await publish('203.0.113.1')).status).toBe(429)
  expect((await publish('203.0.113.1', 'billing')).status).toBe(201)
  expect((await publish('203.0.113.2')).status).toBe(201)
})

test('API_REQUESTS_PER_ADDRESS limits the simultaneous calls of one address, and of no other address', async () => {
  const bus = await startBus({ apiRequestsPerAddress: 2, trustedProxies: ['loopback'] })
  const halves = await Promise.all([dial(bus.httpUrl), dial(bus.httpUrl)])
  for (const half of halves)
    half.write(
      'POST /api/v1/commands/ping HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: 203.0.113.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
    )
  await eventually(async () =>
    expect(await codeOf(await get(bus, '/api/v1/status', '203.0.113.1'))).toMatchObject({
      status: 429,
      details: { limit: 'api_requests_per_address', most: 2 },
    }),
  )
  expect((await get(bus, '/api/v1/status', '203.0.113.2')).status).toBe(200)
  expect(await bus.metric(limit('api_requests_per_address'))).toBeGreaterThan(0)
  for (const half of halves) half.destroy()
  await eventually(async () => expect((await get(bus, '/api/v1/status', '203.0.113.1')).status).toBe(200))
})

test('HTTP_BODY_BYTES_PER_ADDRESS limits the bodies of one address, and of no other address', async () => {
  const bus = await startBus({ httpBodyBytesPerAddress: 4096, maxMessageBytes: 4096, trustedProxies: ['loopback'] })
  const half = await dial(bus.httpUrl)
  half.write(
    'POST /api/v1/commands/ping HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: 203.0.113.1\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n{',
  )
  const ping = (address: string) =>
    fetch(`${bus.httpUrl}/api/v1/commands/ping`, {
      method: 'POST',
      body: '{}'.padEnd(100),
      headers: { 'content-type': 'application/json', ...from(address) },
    })
  await eventually(async () =>
    expect(await codeOf(await ping('203.0.113.1'))).toMatchObject({
      status: 429,
      details: { limit: 'http_body_bytes_per_address', limit_bytes: 4096 },
    }),
  )
  expect((await ping('203.0.113.2')).status).toBe(200)
  expect(await bus.metric(limit('http_body_bytes_per_address'))).toBeGreaterThan(0)
  half.destroy()
  await eventually(async () => expect((await ping('203.0.113.1')).status).toBe(200))
})

test('API_STREAMS_PER_ADDRESS limits the streams of one address, until one of them ends', async () => {
  const bus = await startBus({ apiStreamsPerAddress: 1, trustedProxies: ['loopback'] })
  const maker = await bus.as('maker', 'a:b')
  const open = async (address: string) => {
    const abort = new AbortController()
    const response = await fetch(`${bus.httpUrl}/api/v1/rooms/a/channels/b/stream`, {
      headers: from(address),
      signal: abort.signal,
    })
    return { response, close: () => abort.abort() }
  }
  const first = await open('2001:db8::1')
  expect(first.response.status).toBe(200)
  expect(await codeOf((await open('2001:db8::2')).response)).toMatchObject({
    status: 429,
    details: { limit: 'api_streams_per_address', most: 1 },
  })
  const other = await open('203.0.113.2')
  expect(other.response.status).toBe(200)
  expect(await bus.metric(limit('api_streams_per_address'))).toBe(1)
  first.close()
  await eventually(async () => {
    const next = await open('2001:db8::2')
    expect(next.response.status).toBe(200)
    next.close()
  })
  other.close()
  await maker.close()
})

test('RATE_LIMIT=off switches off every rate and every limit of one address', async () => {
  const bus = await startBus({
    rateLimit: null,
    httpRate: { perSecond: 1, burst: 1 },
    apiRate: { perSecond: 1, burst: 1 },
    connectionRate: { perSecond: 1, burst: 1 },
    maxConnectionsPerAddress: 1,
    apiStreamsPerAddress: 0,
  })
  for (const path of ['/version', '/api/v1/status'])
    for (let n = 0; n < 5; n++) expect((await get(bus, path)).status).toBe(200)
  const clients = await Promise.all([bus.as('a', 'a:b'), bus.as('b'), bus.as('c')])
  const abort = new AbortController()
  expect((await fetch(`${bus.httpUrl}/api/v1/rooms/a/channels/b/stream`, { signal: abort.signal })).status).toBe(200)
  abort.abort()
  await Promise.all(clients.map((client) => client.close()))
})

describe('frequently requested pages', () => {
  test('/metrics and /health are computed once per cache interval for all callers, and HEAD has the same length', async () => {
    const bus = await startBus({ httpCacheMs: 60_000 })
    // Each computation counts the earlier requests.
    const bodies = await Promise.all(Array.from({ length: 20 }, async () => (await get(bus, '/metrics')).text()))
    expect(new Set(bodies).size).toBe(1)
    const head = await fetch(`${bus.httpUrl}/metrics`, { method: 'HEAD' })
    expect(Number(head.headers.get('content-length'))).toBe(Buffer.byteLength(bodies[0]!))
    const health = await Promise.all([1, 2, 3].map(async () => (await get(bus, '/health')).text()))
    expect(new Set(health).size).toBe(1)
  })

  test('lists without credentials are cached until a call changes something, and a named caller gets its own', async () => {
    const bus = await startBus({ httpCacheMs: 60_000 })
    const names = async (headers: Record<string, string> = {}) => {
      const response = await get(bus, '/api/v1/channels?room=seen', undefined, headers)
      return ((await response.json()) as { channels: { name: string }[] }).channels.map(({ name }) => name)
    }
    const client = await bus.as('maker', 'seen:a')
    expect(await names()).toEqual(['a'])
    await client.command('join_channel', { channel: 'seen:b' })
    expect(await names()).toEqual(['a'])
    expect(await names({ 'arqonbus-client-id': 'reader' })).toEqual(['a', 'b'])
    const made = await fetch(`${bus.httpUrl}/api/v1/commands/create_channel`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"channel":"seen:c"}',
    })
    expect(made.status).toBe(200)
    expect(await names()).toEqual(['a', 'b', 'c'])
    await client.close()
  })

  test('/ready is never cached', async () => {
    const bus = await startBus({ httpCacheMs: 60_000, drainDelayMs: 200 })
    expect((await get(bus, '/ready')).status).toBe(200)
    const drained = bus.drain('a test')
    expect((await get(bus, '/ready')).status).toBe(503)
    await drained
  })
})

describe('publishes without a client id', () => {
  const publish = (bus: TestBus, headers: Record<string, string>, path = '/rooms/many/channels/a/messages') => {
    const message = '{"room":"many","channel":"a","payload":{}}'
    return fetch(`${bus.httpUrl}/api/v1${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: path === '/messages' ? `{"messages":[${message}]}` : message,
    })
  }
  const rateLimit = { perSecond: 0.01, burst: 3 }
  const codes = async (bus: TestBus, headers: Record<string, string>, path?: string) => {
    const statuses: number[] = []
    for (let n = 0; n < 4; n++) statuses.push((await publish(bus, headers, path)).status)
    return statuses
  }
  const some = [201, 201, 201, 429]

  test('several publishers behind a trusted proxy have a rate each, by the address that it forwards', async () => {
    const bus = await startBus({ trustedProxies: ['loopback'], rateLimit })
    expect(await codes(bus, from('192.0.2.1'))).toEqual(some)
    expect(await codes(bus, from('192.0.2.2'))).toEqual(some)
    // Whatever a publisher writes there itself comes first, and counts for nothing.
    expect(await codes(bus, from('203.0.113.9, 192.0.2.1'))).toEqual([429, 429, 429, 429])
    expect(await codes(bus, from('192.0.2.3'), '/messages')).toEqual([200, 200, 200, 429])
    // A key names the message and no other caller.
    expect(await codes(bus, { ...from('192.0.2.4'), 'idempotency-key': 'k' })).toEqual([201, 200, 200, 429])
    expect((await publish(bus, { ...from('192.0.2.4'), 'idempotency-key': 'other' })).status).toBe(429)
  })

  test('behind a proxy that is not trusted they share one rate, and a client id has one of its own', async () => {
    const bus = await startBus({ rateLimit })
    expect(await codes(bus, from('192.0.2.1'))).toEqual(some)
    expect(await codes(bus, from('192.0.2.2'))).toEqual([429, 429, 429, 429])
    expect(await codes(bus, { 'arqonbus-client-id': 'billing' })).toEqual(some)
  })
})
