/** Heartbeats, the shutdown of a bus, and its log (docs/protocol.md#heartbeat-and-shutdown). */
import { describe, expect, test } from 'bun:test'
import { compile, Shutdown } from '@arqonbus/protocol'
import { startServer, testConfig } from '@arqonbus/server'
import {
  type ConnectOptions,
  connect,
  eventually,
  type Frame,
  open,
  openRaw,
  type RawSocket,
  refusal,
  startBus,
  testClock,
} from '@arqonbus/testing'
import { startBusProcess } from './support/bus-process.ts'

describe('heartbeat', async () => {
  const clock = testClock()
  // The bus checks every 10 ms of real time, with a clock that the test advances.
  const bus = await startBus({ pingIntervalMs: 10, pingTimeoutMs: 60_000 }, { clock })
  const watcher = await bus.as('watcher')
  /** Connects a client that replies to nothing by itself. */
  const silent = async (id: string): Promise<RawSocket> => {
    const raw = await openRaw(`${bus.busUrl}?client_id=${id}`)
    expect((await raw.nextJson()).payload).toMatchObject({ event: 'welcome', heartbeat_ms: 10 })
    return raw
  }
  const isThere = async (id: string) => {
    const { clients } = await watcher.command('list_clients')
    return clients.some(({ client_id: one }) => one === id)
  }

  test('a connection without a sign of life is closed with 4408 at the heartbeat timeout, and not before', async () => {
    const [first, second] = [await silent('first'), await silent('second')]
    clock.advance(30_000)
    second.frame({ kind: 'pong' })
    // Bun replies to the ping of a client by itself, after earlier frames.
    second.frame({ kind: 'ping' })
    await second.next('pong')
    await watcher.command('ping')
    clock.advance(30_001)
    expect(await first.ended).toEqual({ code: 4408, reason: 'heartbeat lost' })
    expect(second.isOpen).toBeTrue()
    expect([await isThere('first'), await isThere('second')]).toEqual([false, true])
    await watcher.command('ping')
    clock.advance(30_000)
    expect((await second.ended).code).toBe(4408)
  })

  test('pongs keep a connection alive but do not count as activity', async () => {
    const raw = await silent('ponging')
    const connectedAt = new Date(clock.now()).toISOString()
    for (let round = 0; round < 10; round++) {
      clock.advance(10_000)
      raw.frame({ kind: 'pong', payload: (await raw.next('ping')).payload })
      await watcher.command('ping')
    }
    const { clients } = await watcher.command('list_clients')
    const client = clients.find(({ client_id: id }) => id === 'ponging')
    expect(client).toMatchObject({ state: 'connected', last_activity: connectedAt })
    raw.destroy()
  })

  test('every frame keeps a connection alive, including refused ones', async () => {
    const raw = await silent('talking')
    for (let round = 0; round < 4; round++) {
      clock.advance(40_000)
      raw.frame({ payload: 'not JSON' })
      await watcher.command('ping')
      expect((await raw.nextJson()).payload).toMatchObject({ error: { code: 'invalid_json' } })
    }
    expect(await isThere('talking')).toBeTrue()
    raw.destroy()
  })

  test('a client whose heartbeat is lost leaves all its channels and rooms', async () => {
    const raw = await openRaw(`${bus.busUrl}?client_id=lost&join=lost:a&join=lost:*`)
    await raw.nextJson()
    clock.advance(30_000)
    await watcher.command('ping')
    clock.advance(30_001)
    await watcher.command('ping')
    await raw.ended
    await eventually(async () => {
      const { channel } = await watcher.command('channel_info', { channel: 'lost:a' })
      expect(channel).toMatchObject({ participants: [], room_participants: [] })
    })
  })
})

describe('drain', () => {
  const isShutdown = (frame: Frame) => frame.payload.event === 'shutdown'

  test('a drain notifies every client, each with its own reconnect hint, and closes with 1012', async () => {
    const server = await startServer({ config: testConfig({ drainTimeoutMs: 5000 }) })
    const clients = await Promise.all(Array.from({ length: 20 }, () => connect(server.busUrl)))
    const drained = server.drain('test')
    const notices = await Promise.all(clients.map((client) => client.next(isShutdown)))
    for (const notice of notices) {
      expect(notice).toMatchObject({ type: 'system', room: 'arqonbus', channel: 'control', from: 'arqonbus' })
      expect(compile(Shutdown)(notice.payload)).toBeUndefined()
      expect(notice.payload).toMatchObject({ event: 'shutdown', drain_ms: 5000 })
    }
    expect(new Set(notices.map(({ payload }) => payload.reconnect_after_ms)).size).toBeGreaterThan(10)
    for (const client of clients) expect(await client.closed).toEqual({ code: 1012, reason: 'the bus restarts' })
    await drained
    expect(await fetch(`${server.httpUrl}/health`).catch(() => 'closed')).toBe('closed')
  })

  test('a drain accepts no connections, answers 503 at /ready and waits for clients with unread messages', async () => {
    const server = await startServer({ config: testConfig({ drainTimeoutMs: 30_000, rateLimit: null }) })
    const speaker = await connect(server.busUrl)
    const reader = await openRaw(`${server.busUrl}?client_id=reader&join=drain:a`)
    await reader.nextJson()
    reader.pause()
    const text = 'x'.repeat(100_000)
    const total = 200
    for (let n = 1; n <= total; n++) await speaker.publish({ room: 'drain', channel: 'a', payload: { n, text } })

    const drained = server.drain('test')
    const ready = await fetch(`${server.httpUrl}/ready`)
    expect([ready.status, await ready.json()]).toMatchObject([503, { ready: false, reasons: [{ code: 'draining' }] }])
    const health = await fetch(`${server.httpUrl}/health`)
    expect([health.status, await health.json()]).toMatchObject([
      200,
      { status: 'draining', reasons: [{ code: 'draining' }] },
    ])
    const late = await (await openRaw(server.busUrl)).head()
    expect([late.status, Number(late.headers.get('retry-after')) > 0]).toEqual([503, true])

    const publish = speaker.publish({ room: 'drain', channel: 'a', payload: { n: total + 1 } })
    expect(await refusal(publish)).toMatchObject({ code: 'shutting_down', status: 503 })

    reader.resume()
    const heard: unknown[] = []
    while (heard.length < total) {
      const { type, payload } = await reader.nextJson()
      if (type === 'event') heard.push(payload.n)
    }
    expect(heard).toEqual(Array.from({ length: total }, (_, i) => i + 1))
    expect((await reader.ended).code).toBe(1012)
    await drained
  })

  test('a drain ends within its timeout even if a client does not read', async () => {
    const server = await startServer({ config: testConfig({ drainTimeoutMs: 300, rateLimit: null }) })
    const speaker = await connect(server.busUrl)
    const reader = await openRaw(`${server.busUrl}?client_id=reader&join=drain:a`)
    await reader.nextJson()
    reader.pause()
    for (let n = 1; n <= 100; n++)
      await speaker.publish({ room: 'drain', channel: 'a', payload: { text: 'x'.repeat(100_000) } })
    // A drain that waited for the reader would hang.
    await server.drain('test')
    expect(await fetch(`${server.httpUrl}/health`).catch(() => 'closed')).toBe('closed')
    reader.destroy()
  })

  test.each(['SIGTERM', 'SIGINT'] as const)('%s drains, and the process ends with exit code 0', async (signal) => {
    const bus = await startBusProcess()
    const client = await connect(bus.busUrl)
    const exit = bus.stop(signal)
    expect((await client.next(isShutdown)).payload).toMatchObject({ drain_ms: 10_000 })
    expect((await client.closed).code).toBe(1012)
    expect(await exit).toBe(0)
  })
})

describe('logs', async () => {
  const adminKey = 'correct-horse-battery-staple'
  const bus = await startBusProcess({ settings: { ARQONBUS_ADMIN_KEY: adminKey, ARQONBUS_LOG_LEVEL: 'debug' } })
  const secrets = ['payload-of-ann', 'metadata-of-ann', 'guessed-key', 'wrong-token', 'query-token', adminKey]

  // A conversation with everything that must not be logged.
  const ann = await connect(bus.busUrl, {
    query: { client_id: 'ann', screen_name: 'Ann', join: 'science:general' },
    protocols: ['arqonbus.v1', `arqonbus.token.${adminKey}`],
  })
  await ann.publish({ payload: { text: 'payload-of-ann' }, metadata: { text: 'metadata-of-ann' } })
  await ann.command('create_channel', { channel: 'science:new', metadata: { text: 'metadata-of-ann' } })
  await ann.command('pause_room', { room: 'science', admin_key: adminKey })
  await refusal(ann.publish({ payload: { text: 'payload-of-ann' } }))
  await refusal(ann.command('delete_room', { room: 'science', admin_key: 'guessed-key' }))
  await ann.answer(ann.send({ type: 'command', payload: { name: 'forged"\n{"event":"forged"}' } }))
  ann.raw('{"payload-of-ann"\n')
  await ann.answer(null)
  const session = ann.welcome.session
  await ann.close()
  const back = await connect(bus.busUrl, { query: { client_id: 'ann' }, headers: { 'arqonbus-session': session } })
  const strangers: ConnectOptions[] = [
    { headers: { authorization: 'Bearer wrong-token' } },
    { query: { token: 'query-token' } },
    { query: { client_id: 'ann' }, headers: { 'arqonbus-session': 'guessed-key' } },
    { query: { screen_name: 'forged\n{"event":"forged"}' } },
  ]
  await Promise.all(strangers.map((options) => open(bus.busUrl, options).closed))
  await back.command('ping')
  const exit = await bus.stop()
  const lines = bus
    .output()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  const line = (event: string, fields: object = {}) =>
    expect.objectContaining({ event, level: expect.any(String), time: expect.any(String), ...fields })

  test('every log line is one event, and the log covers the lifecycle of the server and its connections', () => {
    expect(exit).toBe(0)
    expect(lines).toContainEqual(line('listening', { bus_url: bus.busUrl, http_url: bus.httpUrl }))
    expect(lines).toContainEqual(line('client_connected', { client_id: 'ann', client_type: 'human', resumed: false }))
    expect(lines).toContainEqual(line('client_connected', { client_id: 'ann', resumed: true }))
    expect(lines).toContainEqual(line('client_disconnected', { client_id: 'ann' }))
    expect(
      lines
        .filter(({ event }) => event === 'connection_refused')
        .map(({ code }) => code)
        .toSorted(),
    ).toEqual(['client_id_in_use', 'invalid_parameters', 'invalid_parameters', 'unauthenticated'])
    for (const event of ['stopping', 'draining', 'stopped']) expect(lines).toContainEqual(line(event))
  })

  test('log lines of commands and refusals carry the client, the room, the channel and the code', () => {
    const where = { client_id: 'ann', room: 'science', channel: 'general' }
    expect(lines).toContainEqual(line('channel_created', { client_id: 'ann', room: 'science', channel: 'new' }))
    expect(lines).toContainEqual(line('command', { ...where, command: 'create_channel' }))
    expect(lines).toContainEqual(line('frame_refused', { ...where, code: 'room_paused' }))
    expect(lines).toContainEqual(line('frame_refused', { client_id: 'ann', code: 'invalid_json' }))
    expect(lines).toContainEqual(line('command_refused', { ...where, command: 'delete_room', code: 'forbidden' }))
    expect(lines).toContainEqual(line('command_refused', { ...where, code: 'unknown_command' }))
  })

  test('the log contains no payload, metadata, token, key or session, and no client can forge a line', () => {
    const output = bus.output()
    for (const secret of [...secrets, session]) expect(output).not.toContain(secret)
    expect(lines.map(({ event }) => event)).not.toContain('forged')
  })
})
