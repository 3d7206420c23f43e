/** What the log says of refused connections, of refused frames, and of connections that end (docs/guide/operations.md). */
import { describe, expect, test } from 'bun:test'
import { eventually, openRaw, startBus, type TestBus, testClock } from '@arqonbus/testing'
import { from } from './peers/from.ts'
import { admissionOf } from './support/admission.ts'

type Line = Record<string, unknown>

/** A bus with the lines of its log. */
async function startLogged(config: Parameters<typeof startBus>[0] = {}) {
  const lines: Line[] = []
  const take = (line: Line) => void lines.push(line)
  const clock = testClock()
  const logger = { debug: take, info: take, warn: take, error: take }
  const bus = await startBus({ trustedProxies: ['loopback'], ...config }, { logger, clock })
  /** Waits for a line of an event with these fields. */
  const line = (event: string, fields: Line) =>
    eventually(() => expect(lines).toContainEqual(expect.objectContaining({ event, ...fields })))
  return { bus, lines, line, clock }
}

const adminKey = 'correct-horse-battery-staple'
const address = '203.0.113.7'
const { bus, lines, line, clock } = await startLogged({ adminKey, maxMessageBytes: 1024, maxConnectionsPerAddress: 40 })

/** A connection that comes by a trusted proxy. */
const arrive = (of: TestBus, query = '', headers: Record<string, string> = {}) =>
  openRaw(`${of.busUrl}?${query}`, { headers: { ...from(address), ...headers } })

/** The upgraded connection of a client. */
async function welcomed(id: string, telemetry = false) {
  const url = telemetry ? bus.telemetryUrl! : bus.busUrl
  const raw = await openRaw(`${url}?client_id=${id}`, { headers: from(address) })
  await raw.nextJson()
  return raw
}

describe('the line of a connection that ends', () => {
  const closeFrame = (code: number, reason = '') => ({
    kind: 'close' as const,
    payload: Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]),
  })
  const endings: [what: string, end: (raw: Awaited<ReturnType<typeof welcomed>>) => void, expected: Line][] = [
    [
      'with a close frame',
      (raw) => raw.frame(closeFrame(1000)),
      { code: 1000, by: 'client', reason: 'normal closure' },
    ],
    ['with a code of its own', (raw) => raw.frame(closeFrame(4000, 'a secret')), { code: 4000, by: 'client' }],
    ['without a code', (raw) => raw.frame({ kind: 'close' }), { code: 1005, by: 'client' }],
    ['without a close frame', (raw) => raw.destroy(), { code: 1006, by: 'network', reason: 'no close frame' }],
    [
      'by a frame that is far too long',
      (raw) => raw.frame({ kind: 'text', payload: 'x'.repeat(5000) }),
      { code: 1009, by: 'server' },
    ],
    [
      'by text that is not UTF-8',
      (raw) => raw.frame({ kind: 'text', payload: new Uint8Array([0xff]) }),
      { code: 1007, by: 'server' },
    ],
    ['by an invalid frame', (raw) => raw.write(new Uint8Array([0x81, 0x01, 0x61])), { code: 1002, by: 'server' }],
  ]
  test.each(endings)(
    'says code, reason, side, duration and address of a client that ends: %s',
    async (_, end, expected) => {
      const id = `ending-${expected.code}`
      const raw = await welcomed(id)
      clock.advance(1500)
      end(raw)
      await line('client_disconnected', {
        client_id: id,
        kind: 'connection',
        connected_ms: 1500,
        address,
        reason: expect.stringMatching(/.{5}/),
        ...expected,
      })
      raw.destroy()
      expect(JSON.stringify(lines)).not.toContain('a secret')
    },
  )

  test('says that an admin ended it, and that another connection took it over', async () => {
    const [kept, gone] = [await bus.as('kept'), await welcomed('gone')]
    await kept.command('disconnect_client', { client_id: 'gone', reason: 'a secret', admin_key: adminKey })
    await gone.ended
    await line('client_disconnected', { client_id: 'gone', code: 4411, by: 'server', address })
    const heir = await bus.connect({
      query: { client_id: 'kept' },
      headers: { 'Arqonbus-Session': kept.welcome.session },
    })
    await line('client_disconnected', { client_id: 'kept', code: 4410, by: 'server', address: '127.0.0.1' })
    await heir.close()
  })

  test('says that the server closed it after repeated violations', async () => {
    const raw = await welcomed('violator')
    for (let n = 0; n < 5; n++) raw.frame({ kind: 'text', payload: 'no JSON' })
    await raw.ended
    await line('client_disconnected', { client_id: 'violator', code: 1008, by: 'server', address })
  })

  test('is written once for each client that connected', async () => {
    await eventually(() => {
      const ids = (event: string) => lines.filter((one) => one.event === event).map((one) => one.client_id)
      expect(ids('client_disconnected').toSorted()).toEqual(ids('client_connected').toSorted())
    })
  })

  test('says the same of a telemetry subscriber', async () => {
    const raw = await welcomed('watcher', true)
    clock.advance(500)
    raw.frame(closeFrame(1001))
    await line('telemetry_disconnected', { client_id: 'watcher', code: 1001, by: 'client', connected_ms: 500, address })
    raw.destroy()
  })

  test('says of a stream whether its reader or the server ended it', async () => {
    const own = await startLogged({ drainTimeoutMs: 200 })
    const open = async (id: string) => {
      const abort = new AbortController()
      const headers = { ...from(address), 'Arqonbus-Client-Id': id, Accept: 'text/event-stream' }
      const path = '/api/v1/rooms/hall/channels/a/stream'
      const response = await fetch(own.bus.httpUrl + path, { headers, signal: abort.signal })
      expect(response.status).toBe(200)
      return { abort, response }
    }
    await own.bus.as('first', 'hall:a')
    const left = await open('left')
    await left.response.body!.getReader().read()
    left.abort.abort()
    await own.line('client_disconnected', { client_id: 'left', kind: 'stream', code: 1006, by: 'client', address })
    const drained = await open('drained')
    await Promise.all([own.bus.drain('end'), drained.response.text()])
    await own.line('client_disconnected', { client_id: 'drained', kind: 'stream', code: 1012, by: 'server', address })
  })

  test('has the same code and reason as the telemetry event', async () => {
    const listener = await bus.listen({ events: 'client_disconnected' })
    const raw = await welcomed('told')
    raw.frame(closeFrame(4123, 'a secret'))
    const event = await listener.next(({ payload }) => payload.eventType === 'client_disconnected')
    expect(event.payload.payload).toMatchObject({ client_id: 'told', code: 4123, reason: 'a code of the client' })
    await listener.close()
    raw.destroy()
  })
})

describe('the line of a refused connection', () => {
  const refusals: [reason: string, query: string, headers: Record<string, string>, expected: Line][] = [
    [
      'origin',
      '',
      { Origin: 'https://evil.example' },
      { code: 'forbidden', close_code: 4403, origin: 'https://evil.example', setting: 'ARQONBUS_ORIGINS' },
    ],
    [
      'host',
      '',
      { Host: 'bus.example' },
      { code: 'host_not_allowed', close_code: 4403, host: 'bus.example', setting: 'ARQONBUS_ALLOWED_HOSTS' },
    ],
    [
      'bad_parameter',
      'client_typ=human',
      {},
      { code: 'invalid_parameters', close_code: 4400, parameter: 'client_typ' },
    ],
    [
      'bad_parameter',
      '',
      { 'Sec-WebSocket-Protocol': 'arqonbus.v2', Origin: 'http://localhost:8137' },
      { code: 'unsupported_version', close_code: 4400, origin: 'http://localhost:8137' },
    ],
    [
      'unauthenticated',
      '',
      { Authorization: 'Bearer wrong' },
      { code: 'unauthenticated', close_code: 4401, setting: 'ARQONBUS_ADMIN_KEY' },
    ],
  ]
  test.each(refusals)(
    'names its reason, address, origin and what decides: %s %s',
    async (reason, query, headers, expected) => {
      const raw = await arrive(bus, query, headers)
      const { closeCode } = await admissionOf(raw)
      expect(closeCode).toBe(expected.close_code as number)
      await line('connection_refused', { reason, address, ...expected })
    },
  )

  test('names the client id that is in use', async () => {
    const raw = await welcomed('taken')
    expect((await admissionOf(await arrive(bus, 'client_id=taken'))).closeCode).toBe(4409)
    await line('connection_refused', { reason: 'client_id_in_use', client_id: 'taken', address })
    raw.destroy()
  })

  test('names the setting of the limit that was reached', async () => {
    const limits = { maxConnections: 2, maxConnectionsPerAddress: 1, connectionRate: { perSecond: 1, burst: 4 } }
    const small = await startLogged(limits)
    const refused = (status: number, reason: string, setting: string, more: Line = {}) =>
      small.line('connection_refused', { reason, setting, status, address, ...more })
    await arrive(small.bus)
    await arrive(small.bus)
    await refused(429, 'address_full', 'ARQONBUS_MAX_CONNECTIONS_PER_ADDRESS')
    await small.bus.connect()
    const origin = 'http://localhost:8137'
    await arrive(small.bus, '', { Origin: origin })
    await refused(503, 'full', 'ARQONBUS_MAX_CONNECTIONS', { origin })
    await arrive(small.bus)
    await arrive(small.bus)
    await refused(429, 'rate', 'ARQONBUS_CONNECTION_RATE')
  })
})

describe('the line of a refused frame', () => {
  test('names the place of the fault and the address, and no text of the client', async () => {
    const raw = await welcomed('faulty')
    const send = (frame: object) => raw.frame({ kind: 'text', payload: JSON.stringify(frame) })
    const envelope = {
      version: '1.0',
      id: 'arq_1',
      type: 'event',
      room: 'a',
      channel: 'a',
      from: 'faulty',
      timestamp: '2026-11-21T12:00:00Z',
      payload: {},
    }
    send({ version: '1.0' })
    await line('frame_refused', { client_id: 'faulty', code: 'invalid_envelope', path: '/id', address })
    send({ ...envelope, 'a secret': 1, payload: undefined })
    send({ ...envelope, 'a secret': 1 })
    await line('frame_refused', { client_id: 'faulty', path: '/*', address })
    send({ ...envelope, type: 'command', payload: { name: 'history', parameters: { limit: 0 } } })
    await line('command_refused', { client_id: 'faulty', path: '/parameters/limit', address })
    expect(JSON.stringify(lines)).not.toContain('a secret')
    raw.destroy()
  })

  test('is written for every command that is run with the admin key, and says how that came', async () => {
    const [admin, user] = await Promise.all([
      bus.connect({ query: { client_id: 'root' }, headers: { authorization: `Bearer ${adminKey}` } }),
      bus.connect({ query: { client_id: 'plain' } }),
    ])
    await admin.command('list_rooms')
    await admin.command('create_channel', { channel: 'audited:a' })
    await admin.command('pause_room', { room: 'audited' })
    await line('admin_command', { client_id: 'root', command: 'pause_room', room: 'audited', by: 'connection' })
    await user.command('resume_room', { room: 'audited', admin_key: adminKey })
    await line('admin_command', { client_id: 'plain', command: 'resume_room', room: 'audited', by: 'parameter' })
    const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
    const body = '{"client_id":"plain"}'
    await fetch(`${bus.httpUrl}/api/v1/commands/disconnect_client`, { method: 'POST', headers, body })
    await line('admin_command', { command: 'disconnect_client', target: 'plain', by: 'request' })
    const written = lines.filter(({ event }) => event === 'admin_command').slice(-3)
    expect(written.map(({ command }) => command)).toEqual(['pause_room', 'resume_room', 'disconnect_client'])
    expect(JSON.stringify(lines)).not.toContain(adminKey)
  })

  test('has the address of a caller over HTTP', async () => {
    const headers = { ...from(address), 'content-type': 'application/json', 'Arqonbus-Client-Id': 'caller' }
    await fetch(`${bus.httpUrl}/api/v1/rooms/a/channels/a/messages`, { method: 'POST', headers, body: '{"payload":1}' })
    await line('frame_refused', { client_id: 'caller', path: '/payload', address })
  })
})
