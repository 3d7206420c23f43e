/** Invalid calls of the HTTP API: each gets a coded response, and the next call is served. */
import { describe, expect, test } from 'bun:test'
import { isDeeperThan } from '@arqonbus/protocol'
import { exactEnvelopes, textOf as textOfVector } from '@arqonbus/protocol/vectors'
import { dial, eventually, startBus, textOf } from '@arqonbus/testing'
import { as, caller, messagesOf } from '../api/call.ts'
import { invalidFrames } from './support/vectors.ts'

const LIMIT = 64 * 1024
const bus = await startBus({
  maxMessageBytes: LIMIT,
  rateLimit: null,
  maxRooms: 1000,
  origins: ['https://app.example.org'],
})
const call = caller(bus.httpUrl)
const path = messagesOf('science', 'explore')

/**
 * Sends a request over plain TCP; resolves to the status and the code of its response, once the connection has ended or
 * the body is complete.
 */
async function raw(bytes: string | Uint8Array, at = bus): Promise<{ status: number; code: string | undefined }> {
  const socket = await dial(at.httpUrl)
  socket.write(bytes)
  const { status } = await socket.head()
  const code = await eventually(() => {
    const found = /"code":"(\w+)"/.exec(socket.body())?.[1]
    if (found === undefined && socket.isOpen) throw new Error('no body yet')
    return found
  })
  socket.destroy()
  return { status, code }
}

const post = (headers: string, body = '', to = path) =>
  raw(`POST /api/v1${to} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n${headers}\r\n\r\n${body}`)

describe('invalid calls', () => {
  test('every invalid envelope sent by HTTP is refused like its frame, except for fields that the API fills in', async () => {
    let refused = 0
    for (const { name, text, code, path: place } of invalidFrames) {
      if (Buffer.byteLength(text) > LIMIT) continue
      const given = objectIn(text)
      const filledIn = place !== undefined && given !== undefined && isAbsent(given, place)
      if (filledIn) continue
      const to = messagesOf(nameIn(given?.room, 'science'), nameIn(given?.channel, 'explore'))
      const { status, body } = await call(to, { body: text, headers: as('ada') })
      const expected = Buffer.from(text).toString() === text ? code : body.error?.code
      expect([name, status, body.error?.code]).toEqual([name, 400, expected])
      if (place !== undefined) expect([name, body.error.details.path]).toEqual([name, place])
      refused++
    }
    expect(refused).toBeGreaterThan(300)
    expect((await call(path, { body: '{"payload":{}}' })).status).toBe(201)
  }, 120_000)

  test('every invalid envelope in a batch is refused like its frame, and the message behind it is published', async () => {
    const good = '{"room":"science","channel":"explore","payload":{}}'
    let refused = 0
    for (const { name, text, code, path: place } of invalidFrames) {
      if (Buffer.byteLength(text) > LIMIT) continue
      const given = objectIn(text)
      if (
        Buffer.from(text).toString() !== text ||
        (place !== undefined && given !== undefined && isAbsent(given, place))
      )
        continue
      const { status, body } = await call('/messages', { body: `{"messages":[${text},${good}]}`, headers: as('ada') })
      if (status !== 200) {
        // What is no JSON, or too deep to look into, makes the whole body so.
        const expected = isDeeperThan(text, 990) ? 'invalid_envelope' : 'invalid_json'
        expect([name, status, body.error.code, code]).toEqual([name, 400, 'invalid_json', expected])
        continue
      }
      const [wrong, right] = body.results
      expect([name, wrong.status, wrong.error?.code, right.status]).toEqual([name, 400, code, 201])
      if (place !== undefined) expect([name, wrong.error.details.path]).toEqual([name, place])
      refused++
    }
    expect(refused).toBeGreaterThan(200)
  }, 120_000)

  test('payloads that would change when encoded again reach their subscribers as they were sent', async () => {
    for (const [n, { name, frame, id, room, channel, from, type, payload }] of exactEnvelopes.entries()) {
      if (type !== 'event' || channel === '*') continue
      // They share an id, which would be a duplicate here.
      const body = textOfVector(frame).replace(`"${id}"`, `"${id}_${n}"`)
      if (Buffer.byteLength(body) > LIMIT || Buffer.from(body).toString() !== body) continue
      const reader = await bus.connect({ query: { join: `${room}:${channel}` } })
      const { status } = await call(messagesOf(room, channel), { body, headers: as(from) })
      expect([name, status]).toEqual([name, 201])
      const message = await reader.next(({ type }) => type === 'event')
      expect(textOf(message)).toContain(`"payload":${textOfVector(payload)}`)
      await reader.close()
    }
  })

  test('a body of another media type or with a content encoding is refused with 415', async () => {
    const types = ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', '']
    for (const type of [...types, 'application/json; charset=latin1', 'application/jsonp']) {
      const { status, body } = await call(path, { body: '{"payload":{}}', headers: { 'content-type': type } })
      expect([type, status, body.error.code]).toEqual([type, 415, 'unsupported_media_type'])
    }
    const packed = await call(path, { body: '{"payload":{}}', headers: { 'content-encoding': 'gzip' } })
    expect([packed.status, packed.body.error.details.path]).toEqual([415, '/headers/content-encoding'])
    const fine = await call(path, {
      body: '{"payload":{}}',
      headers: { 'content-type': 'Application/JSON;charset=UTF-8' },
    })
    expect(fine.status).toBe(201)
  })

  test('a body that is not UTF-8 is refused instead of being changed', async () => {
    const body = Buffer.from('{"payload":{"text":"\xff"}}', 'latin1')
    expect(await call(path, { body })).toMatchObject({ status: 400, body: { error: { code: 'invalid_json' } } })
  })

  test('a body in chunks of one byte is read like a whole one', async () => {
    const body = `{"payload":{"text":"${'x'.repeat(20_000)}"}}`
    const chunks = [...body].map((one) => `1\r\n${one}\r\n`).join('')
    const headers = 'Transfer-Encoding: chunked\r\nConnection: close'
    expect(await post(headers, `${chunks}0\r\n\r\n`)).toMatchObject({ status: 201 })
  })

  test('a body over the limit is refused with 413 before it is read, with and without a declared length', async () => {
    const refused = { status: 413, code: 'message_too_large' }
    expect(await post('Content-Length: 999999999999')).toEqual(refused)
    expect(await post(`Content-Length: ${LIMIT + 1}`, 'x'.repeat(LIMIT + 1))).toEqual(refused)
    const chunk = `8000\r\n${'x'.repeat(0x8000)}\r\n`
    expect(await post('Transfer-Encoding: chunked', chunk.repeat(20))).toEqual(refused)
    expect(await post('Content-Length: 999999999', '', '/commands/ping')).toEqual(refused)
    expect(await bus.metric('arqonbus_limits_hit_total{limit="message_bytes"}')).toBe(4)
    // A body within the limit whose envelope exceeds it.
    const fitting = `{"payload":{"text":"${'x'.repeat(LIMIT - 30)}"}}`
    expect(await call(path, { body: fitting })).toMatchObject({
      status: 413,
      body: { error: { code: 'message_too_large', details: { limit_bytes: LIMIT } } },
    })
    expect(await bus.metric('arqonbus_limits_hit_total{limit="message_bytes"}')).toBe(5)
    const fromPage = { origin: 'https://app.example.org' }
    const response = await call(path, { body: 'x'.repeat(LIMIT + 1), headers: fromPage })
    expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([413, fromPage.origin])
  })

  test('an unexpected body costs no memory, however long it is', async () => {
    const chunk = Buffer.from(`100000\r\n${'x'.repeat(0x100000)}\r\n`)
    const before = process.memoryUsage.rss()
    const socket = await dial(bus.httpUrl)
    socket.write('POST /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n')
    expect((await socket.head()).status).toBe(405)
    for (let n = 0; n < 100 && socket.isOpen; n++) {
      socket.write(chunk)
      await eventually(() => expect(socket.isOpen && socket.unsent > 4 * chunk.length).toBe(false))
    }
    expect((process.memoryUsage.rss() - before) / 1024 / 1024).toBeLessThan(64)
    socket.destroy()
  })

  test('a call whose body does not arrive is answered with 408 and delays no other call', async () => {
    const strict = await startBus({ apiBodyTimeoutMs: 300 })
    const head = `POST /api/v1${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n`
    const half = [
      'Content-Length: 100\r\n\r\n{"payload":',
      'Transfer-Encoding: chunked\r\n\r\n5\r\n{"pay\r\n',
      'Content-Length: 1\r\n\r\n',
    ].map((rest) => raw(head + rest, strict))
    expect((await caller(strict.httpUrl)('/status')).status).toBe(200)
    for (const answered of await Promise.all(half)) expect(answered).toEqual({ status: 408, code: 'request_timeout' })
  })

  test('an unknown path is answered with 404, and an unsupported method with 405 and the supported ones', async () => {
    for (const wrong of ['/', '/message', '/rooms/a/channels', '/commands/fly', '/rooms/%zz/channels/a']) {
      const { status, body } = await call(wrong)
      expect([wrong, status, body.error.code]).toEqual([wrong, 404, 'not_found'])
    }
    const methods: [string, string, string][] = [
      [path, 'DELETE', 'POST, GET, HEAD, OPTIONS'],
      [path, 'PUT', 'POST, GET, HEAD, OPTIONS'],
      ['/status', 'POST', 'GET, HEAD, OPTIONS'],
      ['/commands/ping', 'GET', 'POST, OPTIONS'],
      ['/messages', 'GET', 'POST, OPTIONS'],
      ['/rooms/a/channels/b/stream', 'POST', 'GET, OPTIONS'],
    ]
    for (const [to, method, allow] of methods) {
      const { status, headers, body } = await call(to, { method })
      expect([to, status, headers.get('allow'), body.error.code]).toEqual([to, 405, allow, 'method_not_allowed'])
    }
  })

  test('a command body that is no object or is nested too deeply is refused with the reason', async () => {
    const wrong: [string, string, string][] = [
      ['{', 'invalid_json', ''],
      ['{}},"x":{', 'invalid_json', ''],
      ['[]', 'invalid_parameters', '/parameters'],
      ['null', 'invalid_parameters', '/parameters'],
      ['"ping"', 'invalid_parameters', '/parameters'],
      [`{"a":${'['.repeat(100)}${']'.repeat(100)}}`, 'invalid_envelope', ''],
    ]
    for (const [body, code, place] of wrong) {
      const answered = await call('/commands/ping', { body })
      expect([body, answered.body.error.code, answered.body.error.details.path ?? '']).toEqual([body, code, place])
    }
    expect((await call('/commands/ping', { body: '{' })).body.error.details.offset).toBe(1)
  })

  test('an invalid Authorization, client id or session header is refused before the body is read', async () => {
    const cases: [Record<string, string>, number, string][] = [
      [{ authorization: 'Basic eDp5' }, 400, '/headers/authorization'],
      [as('-not-an-id'), 400, '/headers/arqonbus-client-id'],
      [as('arqonbus'), 400, '/headers/arqonbus-client-id'],
      [as('x'.repeat(129)), 400, '/headers/arqonbus-client-id'],
      [{ 'arqonbus-session': 'secret' }, 401, '/headers/arqonbus-session'],
    ]
    for (const [headers, status, place] of cases) {
      const answered = await call('/status', { headers })
      expect([answered.status, answered.body.error.details.path]).toEqual([status, place])
    }
    expect((await call('/status?client_id=a', { headers: as('b') })).body.error.details.path).toBe('/query/client_id')
  })
})

describe('pages of another origin', () => {
  const foreign = { origin: 'https://evil.example.org' }
  const known = { origin: 'https://app.example.org' }

  test('a page of another origin cannot call, read or stream, by any method', async () => {
    for (const [to, options] of [
      [path, { body: '{"payload":{}}' }],
      ['/status', {}],
      ['/rooms/a/channels/b/stream', {}],
      [path, { method: 'OPTIONS' }],
    ] as const) {
      const { status, headers, body } = await call(to, { ...options, headers: foreign })
      expect([to, status, body.error.code, headers.get('access-control-allow-origin')]).toEqual([
        to,
        403,
        'forbidden',
        null,
      ])
    }
    expect((await call('/status', { headers: { origin: 'null' } })).status).toBe(403)
  })

  test('a page of an allowed origin or of the server’s own host can call', async () => {
    const own = { origin: bus.httpUrl.replace(/:\d+$/, ':1234') }
    for (const headers of [known, own]) {
      const answered = await call(path, { body: '{"payload":{}}', headers })
      expect([answered.status, answered.headers.get('access-control-allow-origin')]).toEqual([201, headers.origin])
      expect(answered.headers.get('vary')).toBe('Origin')
      const refused = await call(path, { body: '{', headers })
      expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([400, headers.origin])
    }
  })

  test('a preflight tells a page of an allowed origin which methods and headers it may send', async () => {
    const { status, headers } = await call(path, { method: 'OPTIONS', headers: known })
    expect(status).toBe(204)
    expect(headers.get('access-control-allow-methods')).toBe('POST, GET, HEAD, OPTIONS')
    expect(headers.get('access-control-allow-headers')).toContain('arqonbus-client-id')
  })
})

describe('calls over the limits', () => {
  test('calls over the rate of one client are refused with 429 and a retry time, and other clients are served', async () => {
    const limited = await startBus({ rateLimit: { perSecond: 0.01, burst: 5 } })
    const ask = caller(limited.httpUrl)
    const say = (id: string) => ask(path, { body: '{"payload":{}}', headers: as(id) })
    for (let n = 0; n < 5; n++) expect((await say('busy')).status).toBe(201)
    const { status, headers, body } = await say('busy')
    expect([status, body.error.code]).toEqual([429, 'rate_limited'])
    expect(Number(headers.get('retry-after'))).toBe(Math.ceil(body.error.retry_after_ms / 1000))
    expect((await say('other')).status).toBe(201)
    expect(await limited.metric('arqonbus_limits_hit_total{limit="message_rate"}')).toBe(1)
  })

  test('calls over the rate of one address are refused with 429 under any client id', async () => {
    const limited = await startBus({ apiRate: { perSecond: 0.01, burst: 5 } })
    const ask = caller(limited.httpUrl)
    for (let n = 0; n < 5; n++)
      expect((await ask('/commands/ping', { body: '', headers: as(`c${n}`) })).status).toBe(200)
    const { status, body } = await ask('/commands/ping', { body: '', headers: as('c6') })
    expect([status, body.error.details.limit]).toEqual([429, 'api_rate'])
    expect(await limited.metric('arqonbus_limits_hit_total{limit="api_rate"}')).toBe(1)
  })

  test('simultaneous calls over the limit are refused with 429, so that unfinished bodies cannot fill the memory', async () => {
    const limited = await startBus({ apiRequests: 2, apiBodyTimeoutMs: 3_600_000 })
    const halves = await Promise.all([dial(limited.httpUrl), dial(limited.httpUrl)])
    for (const half of halves)
      half.write(
        `POST /api/v1${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{`,
      )
    const ask = caller(limited.httpUrl)
    await eventually(async () => {
      const { status, body } = await ask('/status')
      expect([status, body.error?.details.limit]).toEqual([429, 'api_requests'])
    })
    expect(await limited.metric('arqonbus_limits_hit_total{limit="api_requests"}')).toBeGreaterThan(0)
    for (const half of halves) half.destroy()
    await eventually(async () => expect((await ask('/status')).status).toBe(200))
  })
})

describe('bodies of calls in progress', () => {
  const MOST = 4096
  const head = (fields: string) =>
    `POST /api/v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n${fields}\r\n\r\n`
  const messages = (bytes: number) => {
    const body = '{"messages":[{"room":"a","channel":"b","payload":{}}]}'
    return body.padEnd(bytes)
  }
  const start = () =>
    startBus({ apiBatchBytes: MOST, maxMessageBytes: 2048, httpBodyBytes: MOST, apiBodyTimeoutMs: 3_600_000 })
  const refusal = { code: 'rate_limited', details: { limit: 'http_body_bytes', limit_bytes: MOST } }

  test('unfinished bodies count with their length, and a body too much is refused with 429 until one of them ends', async () => {
    const limited = await start()
    const ask = caller(limited.httpUrl)
    const batch = (bytes: number) => ask('/messages', { body: messages(bytes) })
    const half = await dial(limited.httpUrl)
    half.write(`${head('Content-Length: 3000')}{`)
    await eventually(async () => expect(await batch(1200)).toMatchObject({ status: 429, body: { error: refusal } }))
    expect((await batch(MOST - 3000)).status).toBe(200)
    expect((await ask('/status')).status).toBe(200)
    // A page of another origin can read the refusal.
    const origin = limited.httpUrl.replace(/:\d+$/, ':1234')
    const { status, headers } = await ask('/messages', { body: messages(1200), headers: { origin } })
    expect([status, headers.get('access-control-allow-origin'), headers.get('connection')]).toEqual([
      429,
      origin,
      'close',
    ])
    expect(await limited.metric('arqonbus_limits_hit_total{limit="http_body_bytes"}')).toBeGreaterThan(0)
    half.write(messages(3000).slice(1))
    await half.head()
    expect((await batch(MOST)).status).toBe(200)
    half.destroy()
  })

  test('a chunked body counts with what has arrived of it', async () => {
    const limited = await start()
    const ask = caller(limited.httpUrl)
    const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`
    const [first, second] = [await dial(limited.httpUrl), await dial(limited.httpUrl)]
    first.write(head('Transfer-Encoding: chunked') + chunk(messages(3000)))
    await eventually(async () => expect((await ask('/messages', { body: messages(1200) })).status).toBe(429))
    second.write(head('Transfer-Encoding: chunked') + chunk(messages(1000)))
    second.write(chunk(' '.repeat(200)))
    expect((await second.head()).status).toBe(429)
    first.write(chunk(''))
    expect((await first.head()).status).toBe(200)
    expect((await ask('/messages', { body: messages(MOST) })).status).toBe(200)
    for (const socket of [first, second]) socket.destroy()
  })

  test('a caller that leaves frees the bytes of its body', async () => {
    const limited = await start()
    const ask = caller(limited.httpUrl)
    const half = await dial(limited.httpUrl)
    half.write(`${head(`Content-Length: ${MOST}`)}{`)
    const batch = () => ask('/messages', { body: messages(100) })
    await eventually(async () => expect((await batch()).status).toBe(429))
    half.destroy()
    await eventually(async () => expect((await batch()).status).toBe(200))
  })

  test('a body that takes too long frees its bytes, also if more of it arrives', async () => {
    const limited = await startBus({
      apiBatchBytes: MOST,
      maxMessageBytes: 2048,
      httpBodyBytes: MOST,
      apiBodyTimeoutMs: 20,
    })
    const ask = caller(limited.httpUrl)
    const slow = await dial(limited.httpUrl)
    slow.write(`${head('Transfer-Encoding: chunked')}bb8\r\n${messages(3000)}\r\n`)
    expect((await slow.head()).status).toBe(408)
    slow.write('3e8\r\n')
    expect((await ask('/messages', { body: messages(MOST) })).status).toBe(200)
    slow.destroy()
  })
})

test('a bus without the API serves none of its paths', async () => {
  const without = await startBus({ api: false })
  expect((await caller(without.httpUrl)('/status')).status).toBe(404)
  expect((await fetch(`${without.httpUrl}/health`)).status).toBe(200)
})

function objectIn(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

/** Whether a field is missing that the API fills in. */
const isAbsent = (given: Record<string, unknown>, place: string): boolean =>
  /^\/(version|id|type|room|channel|from|timestamp)$/.test(place) && !Object.hasOwn(given, place.slice(1))

/** A path accepts any text as a name, including invalid ones. */
const nameIn = (value: unknown, otherwise: string): string =>
  typeof value === 'string' && value !== '' && value.isWellFormed() ? encodeURIComponent(value) : otherwise
