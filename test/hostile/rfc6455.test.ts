/** The security considerations of RFC 6455 (§1.6 and §10), a test each (docs/security/standards.md#rfc-6455). */
import { describe, expect, test } from 'bun:test'
import { connect, dial, open, openRaw, type RawFrame, refusal, startBus } from '@arqonbus/testing'
import { expectServed } from '../bad-input/support/served.ts'
import { invalidFrames } from '../bad-input/support/vectors.ts'

const LIMIT = 4096
const adminKey = 'the-key-of-the-admins'
const bus = await startBus({ adminKey, maxMessageBytes: LIMIT, maxViolations: 10_000, rateLimit: null })
const ports = [
  ['bus', bus.busUrl],
  ['telemetry server', bus.telemetryUrl!],
] as const

/** Sends frames after the upgrade; resolves to the close code and the number of replies. */
async function endOf(url: string, frames: readonly (RawFrame | Buffer)[]) {
  const raw = await openRaw(url)
  await raw.nextJson()
  for (const frame of frames) Buffer.isBuffer(frame) ? raw.write(frame) : raw.frame(frame)
  return (await raw.ended).code
}

describe('§1.6 the security model', () => {
  test('a page of another origin is refused, and one of the same host is not', async () => {
    for (const [, url] of ports) {
      const foreign = open(url, { headers: { Origin: 'https://evil.example' } })
      expect((await foreign.answer(null)).error?.code).toBe('forbidden')
      expect((await foreign.closed).code).toBe(4403)
      await (await connect(url, { headers: { Origin: `http://${new URL(url).host}` } })).close()
    }
  })

  test('an Origin gives no right: a program that claims an allowed one is a client like any other', async () => {
    const owner = await bus.as('owner')
    await owner.command('create_channel', { channel: 'closed:files', type: 'private' })
    const eve = await bus.connect({ headers: { Origin: `http://${new URL(bus.busUrl).host}` } })
    expect((await refusal(eve.command('join_channel', { channel: 'closed:files' }))).code).toBe('forbidden')
    expect((await refusal(eve.command('pause_room', { room: 'closed' }))).code).toBe('forbidden')
    await Promise.all([eve.close(), owner.close()])
  })

  test('what a page can send without a WebSocket is no handshake: forms, fetches and navigations are refused', async () => {
    const form = { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': '3' }
    for (const [, url] of ports) {
      for (const [method, headers, body] of [
        ['POST', { ...form, Upgrade: undefined, Connection: undefined }, 'a=b'],
        ['POST', form, 'a=b'],
        ['GET', { Upgrade: undefined, Connection: 'keep-alive', Accept: 'text/html' }, ''],
        // Scripts may set any header but those that begin with Sec-.
        ['GET', { 'Sec-WebSocket-Key': undefined, 'Sec-WebSocket-Version': undefined }, ''],
      ] as const) {
        const raw = await openRaw(url, { method, headers })
        raw.write(body)
        expect((await raw.head()).status).toBeOneOf([400, 426])
        await raw.ended
      }
    }
  })

  test('other protocols get no connection: SMTP, TLS, HTTP/2 and Redis are refused before a byte is interpreted', async () => {
    for (const [, url] of ports) {
      for (const greeting of [
        'EHLO evil.example\r\nMAIL FROM:<a@b>\r\nDATA\r\n\r\n',
        '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
        'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
        '*1\r\n$8\r\nFLUSHALL\r\n\r\n\r\n',
      ]) {
        const raw = await dial(url)
        raw.write(greeting)
        const status = await raw.head().then(
          (head) => head.status,
          () => undefined,
        )
        expect(status).not.toBe(101)
        raw.destroy()
      }
    }
  })

  test('the HTTP port is no WebSocket server: it upgrades nothing', async () => {
    const raw = await openRaw(bus.httpUrl.replace('http:', 'ws:'))
    expect((await raw.head()).status).not.toBe(101)
    raw.destroy()
  })
})

test('§10.1 no input is trusted: every invalid frame of the vectors is refused, and nothing else happens', async () => {
  const eve = await bus.connect({ query: { client_id: 'eve' } })
  const witness = await bus.as('witness', 'science:*', 'a:*')
  const short = invalidFrames.filter(({ text }) => Buffer.byteLength(text) <= LIMIT)
  for (const { text } of short) eve.raw(text)
  const replies = await eve.everything()
  expect(replies.map(({ payload }) => payload.status)).toEqual(short.map(() => 'error'))
  expect(await witness.everything()).toEqual([])
  await Promise.all([eve.close(), witness.close()])
})

test('§10.2 an Origin is compared as a whole: none that contains, begins or ends like an allowed one is accepted', async () => {
  const strict = await startBus({ origins: ['https://app.example.org'] })
  const wrong = [
    'https://app.example.org.evil.example',
    'https://evil-app.example.org',
    'https://evil.example/?https://app.example.org',
    'https://app.example.org:8443',
    'http://app.example.org',
    'https://app.example.org@evil.example',
    'https://APP.example.org.evil.example',
    'null',
    '',
  ]
  for (const url of [strict.busUrl, strict.telemetryUrl!]) {
    for (const Origin of wrong) expect((await open(url, { headers: { Origin } }).closed).code).toBe(4403)
    await (await connect(url, { headers: { Origin: 'https://app.example.org' } })).close()
  }
})

describe.each(ports)('§10.3 attacks on infrastructure at the port of the %s', (_, url) => {
  test('an unmasked frame ends the connection, since a script could choose its bytes', async () => {
    expect(await endOf(url, [{ payload: 'GET / HTTP/1.1', masked: false }])).toBe(1002)
  })

  test('a request of HTTP inside a connection gets no response of HTTP', async () => {
    expect(await endOf(url, [Buffer.from('GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')])).toBe(1002)
  })

  test('an upgrade with a body is refused, since a proxy could take frames for it', async () => {
    for (const headers of [{ 'Content-Length': '100' }, { 'Transfer-Encoding': 'chunked' }]) {
      const raw = await openRaw(url, { headers })
      expect((await raw.head()).status).toBe(400)
      raw.destroy()
    }
  })

  test('the response to an upgrade repeats nothing of the request but an offered subprotocol', async () => {
    const raw = await openRaw(url, {
      target: '/evil-path?client_id=evil-id',
      headers: { 'Sec-WebSocket-Protocol': 'arqonbus.v1', 'X-Evil': 'evil', 'User-Agent': 'evil', Cookie: 'evil=1' },
    })
    const { headers } = await raw.head()
    expect(JSON.stringify([...headers])).not.toContain('evil')
    expect(headers.get('sec-websocket-protocol')).toBe('arqonbus.v1')
    raw.destroy()
  })

  test('frames of the server are not masked', async () => {
    const raw = await openRaw(url)
    // A masked text would not be JSON.
    const { fin, reserved, payload } = await raw.next('text')
    expect([fin, reserved, JSON.parse(payload.toString()).payload.event]).toEqual([true, 0, 'welcome'])
    raw.destroy()
  })
})

describe.each(ports)('§10.4 limits at the port of the %s', (_, url) => {
  test('a frame that announces more than the limit ends the connection at once, before its bytes arrive', async () => {
    for (const length of [BigInt(4 * LIMIT + 1), 2n ** 60n]) expect(await endOf(url, [{ length }])).toBe(1009)
  })

  test('fragments are limited by the length of the whole message', async () => {
    const fragment = Buffer.alloc(LIMIT, 'x')
    const first: RawFrame = { payload: fragment, fin: false }
    const next: RawFrame = { kind: 'continuation', payload: fragment, fin: false }
    expect(await endOf(url, [first, next, next, next, next])).toBe(1009)
  })

  test('a stream of 20,000 empty fragments is one message, which the first byte over the limit ends', async () => {
    const empty: RawFrame = { kind: 'continuation', fin: false }
    const frames = [{ fin: false } as RawFrame, ...Array.from({ length: 20_000 }, () => empty)]
    expect(await endOf(url, [...frames, { kind: 'continuation', payload: Buffer.alloc(4 * LIMIT + 1) }])).toBe(1009)
  })
})

test('§10.5 a client proves itself by a token that HTTP or the handshake carries, and a wrong one is refused', async () => {
  for (const [, url] of ports) {
    for (const way of [
      { headers: { Authorization: `Bearer ${adminKey}` } },
      { protocols: ['arqonbus.v1', `arqonbus.token.${adminKey}`] },
    ])
      await (await connect(url, way)).close()
    for (const wrong of [
      { headers: { Authorization: `Bearer ${adminKey}x` } },
      { protocols: ['arqonbus.v1', `arqonbus.token.${adminKey.slice(1)}`] },
    ]) {
      const opened = open(url, wrong)
      expect((await opened.answer(null)).error?.code).toBe('unauthenticated')
      expect((await opened.closed).code).toBe(4401)
    }
  }
})

describe('§10.7 invalid data', () => {
  test('invalid data in a connection ends it, with a code that says why and nothing else', async () => {
    for (const [, url] of ports) {
      expect(await endOf(url, [{ payload: Buffer.from([0xff]) }])).toBe(1007)
      expect(await endOf(url, [{ reserved: 1 }])).toBe(1002)
      expect(await endOf(url, [{ kind: 'close', payload: Buffer.from([0x03, 0xe8, 0xff]) }])).toBe(1007)
    }
  })

  test('nothing is done with what comes after invalid data', async () => {
    const witness = await bus.as('watcher', 'science:*')
    const good = `{"version":"1.0","id":"arq_1","type":"event","room":"science","channel":"explore","from":"mallory","timestamp":"2026-11-21T12:00:00Z","payload":{}}`
    expect(await endOf(`${bus.busUrl}?client_id=mallory`, [{ reserved: 1 }, { payload: good }])).toBe(1002)
    expect(await witness.everything()).toEqual([])
    await witness.close()
  })

  test('text of a client that reaches a log, a header or a page cannot leave its place there', async () => {
    const raw = await openRaw(bus.busUrl, { target: '/?client_id=a%0d%0aSet-Cookie:%20b=c' })
    expect([...(await raw.head()).headers.keys()]).not.toContain('set-cookie')
    const { payload } = await raw.nextJson()
    expect(JSON.stringify(payload)).not.toContain('Set-Cookie')
    raw.destroy()
  })
})

test('§10.8 the key of a handshake proves nothing: clients with the same key are different clients', async () => {
  const [one, other] = await Promise.all([openRaw(bus.busUrl), openRaw(bus.busUrl)])
  const heads = await Promise.all([one.head(), other.head()])
  // The example of RFC 6455 §1.3.
  expect(heads.map(({ headers }) => headers.get('sec-websocket-accept'))).toEqual([
    's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
    's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
  ])
  const [first, second] = (await Promise.all([one.nextJson(), other.nextJson()])).map(
    ({ payload }) => payload as { client: { client_id: string }; session: string },
  )
  expect(first!.client.client_id).not.toBe(second!.client.client_id)
  expect(first!.session).not.toBe(second!.session)
  one.destroy()
  other.destroy()
})

test('after all of it the bus serves as before', () => expectServed(bus))
