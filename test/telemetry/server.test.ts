/** The telemetry server: connecting, filters, and invalid input (docs/protocol.md#telemetry). */
import { describe, expect, test } from 'bun:test'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { compile, newId, TelemetryWelcome } from '@arqonbus/protocol'
import { type ConnectOptions, eventually, open, openRaw, startBus, type TestClient } from '@arqonbus/testing'
import { admissionOf } from '../support/admission.ts'
import { heard, heardSoFar } from './support/events.ts'

const bus = await startBus({ adminKey: 'the-key', maxMessageBytes: 1024, rateLimit: { perSecond: 0.01, burst: 20 } })
const url = bus.telemetryUrl!

describe('a telemetry subscriber', () => {
  test('a telemetry subscriber is welcomed with its identity and its filter', async () => {
    const one = await bus.listen({ client_id: 'wall', client_type: 'dashboard', screen_name: 'On the wall' })
    expect(compile(TelemetryWelcome)(one.welcome)).toBeUndefined()
    expect(one.welcome as unknown).toMatchObject({
      event: 'welcome',
      client: { client_id: 'wall', client_type: 'dashboard', screen_name: 'On the wall' },
      versions: ['1.0'],
      subscriptions: ['integriguard:telemetry-stream', 'integriguard:dashboard-events'],
      events: null,
      client_events: null,
    })
    expect(one.welcome).not.toHaveProperty('session')
    await one.close()
  })

  test('a telemetry subscriber that sends no id gets one', async () => {
    const one = await bus.listen()
    expect(one.id).toMatch(/^client-/)
    await one.close()
  })

  test('a telemetry subscriber may send the admin key as a token in every supported way', async () => {
    for (const how of [
      { headers: { Authorization: 'Bearer the-key' } },
      { protocols: ['arqonbus.v1', 'arqonbus.token.the-key'] },
    ]) {
      const one = open(url, how)
      expect((await one.next()).payload).toMatchObject({ event: 'welcome' })
      one.socket.close()
    }
  })

  const refused: Record<string, [ConnectOptions, code: string, details: object, close: number]> = {
    'an unknown parameter': [{ query: { filter: 'x' } }, 'invalid_parameters', { parameter: 'filter' }, 4400],
    'a join': [{ query: { join: 'a:b' } }, 'invalid_parameters', { parameter: 'join' }, 4400],
    'a resumption': [{ query: { resume: 'live' } }, 'invalid_parameters', { parameter: 'resume' }, 4400],
    'a session': [{ headers: { 'Arqonbus-Session': 'x' } }, 'invalid_parameters', { parameter: 'session' }, 4400],
    'an unknown event': [
      { query: { events: 'client_connected,nothing_like_it' } },
      'invalid_parameters',
      { parameter: 'events', unknown: 'nothing_like_it', expected: expect.stringContaining('storage_degraded') },
      4400,
    ],
    'a mistyped event': [
      { query: { events: 'client_conected' } },
      'invalid_parameters',
      { expected: expect.stringContaining('did you mean client_connected?') },
      4400,
    ],
    'an empty filter': [{ query: { events: '' } }, 'invalid_parameters', { parameter: 'events' }, 4400],
    'an empty name in a filter': [
      { query: { client_events: 'a,,b' } },
      'invalid_parameters',
      { parameter: 'client_events' },
      4400,
    ],
    'a name that is too long': [
      { query: { client_events: 'x'.repeat(65) } },
      'invalid_parameters',
      { parameter: 'client_events' },
      4400,
    ],
    'a filter that is too long': [
      { query: { client_events: Array(65).fill('x').join(',') } },
      'invalid_parameters',
      { parameter: 'client_events' },
      4400,
    ],
    'the id of the bus': [{ query: { client_id: 'arqonbus' } }, 'invalid_parameters', { parameter: 'client_id' }, 4400],
    'a wrong token': [{ headers: { Authorization: 'Bearer nope' } }, 'unauthenticated', {}, 4401],
  }
  test.each(Object.entries(refused))(
    'a telemetry subscriber with %s is refused',
    async (_, [options, code, details, close]) => {
      const one = open(url, options)
      const { payload } = await one.next()
      expect(payload).toMatchObject({ request_id: null, status: 'error', error: { code } })
      expect((payload.error as { details?: object }).details ?? {}).toMatchObject(details)
      expect((await one.closed).code).toBe(close)
    },
  )

  test('a telemetry subscriber whose id is in use there or on the bus is refused', async () => {
    await bus.as('on-the-bus')
    await bus.listen({ client_id: 'here' })
    for (const client_id of ['on-the-bus', 'here']) {
      const one = open(url, { query: { client_id } })
      expect((await one.next()).payload).toMatchObject({ error: { code: 'client_id_in_use' } })
      expect((await one.closed).code).toBe(4409)
    }
  })

  test('a telemetry connection from a foreign page or without an upgrade is refused', async () => {
    const foreign = await openRaw(url, { headers: { Origin: 'https://evil.example' } })
    expect(await admissionOf(foreign)).toMatchObject({ closeCode: 4403, error: { code: 'forbidden' } })
    expect((await fetch(url.replace('ws:', 'http:'))).status).toBe(426)
  })
})

describe('a filter', () => {
  const event = (eventType: string) =>
    ({
      type: 'telemetry',
      room: 'integriguard',
      channel: 'telemetry-stream',
      payload: { eventType, payload: {} },
    }) as const
  /** Expects these types of events, each subscriber in its own time. */
  const hears = (listener: TestClient, types: readonly string[]) =>
    eventually(() => {
      const heard = listener.frames.map(({ payload }) => (payload as { eventType: string }).eventType)
      expect(heard).toEqual([...types])
    })

  test('a filter delivers each event that it names once, and nothing else', async () => {
    const [some, own, named, both, all] = await Promise.all([
      bus.listen({ events: 'channel_created, telemetry_summary' }),
      bus.listen({ client_events: '*' }),
      bus.listen({ client_events: 'deploy,*x' }),
      bus.listen({ client_events: 'deploy,*', events: 'client_disconnected' }),
      bus.listen(),
    ])
    expect((both.welcome as unknown as { events: string[] }).events).toEqual(['client_disconnected'])
    const ann = await bus.as('filtered', 'filter:talk')
    ann.send(event('build'))
    ann.send(event('deploy'))
    // An event of a client with the name of an event of the bus is not delivered to subscribers of the bus's events.
    ann.send(event('channel_created'))
    await ann.close()
    await heard(all, 'client_disconnected', { client_id: 'filtered' })
    await heard(both, 'client_disconnected', { client_id: 'filtered' })
    await hears(some, ['channel_created'])
    await hears(own, ['build', 'deploy', 'channel_created'])
    await hears(named, ['deploy'])
    await hears(both, ['build', 'deploy', 'channel_created'])
  })
})

describe('events from telemetry subscribers', () => {
  const envelope = (from: string, fields: object = {}) =>
    JSON.stringify({
      version: '1.0',
      id: newId(),
      type: 'telemetry',
      room: 'integriguard',
      channel: 'telemetry-stream',
      from,
      timestamp: '2026-01-01T00:00:00Z',
      payload: { eventType: 'x', payload: {} },
      ...fields,
    })
  const garbage: Record<string, [frame: (id: string) => string | Uint8Array<ArrayBuffer>, code: string]> = {
    'text that is no JSON': [() => '{', 'invalid_json'],
    'JSON that is no envelope': [() => '[]', 'invalid_envelope'],
    'binary frames': [() => new Uint8Array([1, 2]), 'binary_frame'],
    'frames that are too long': [(id) => envelope(id, { payload: { text: 'x'.repeat(1024) } }), 'message_too_large'],
    'events of the bus': [(id) => envelope(id, { type: 'event', room: 'a', channel: 'b' }), 'forbidden_type'],
    commands: [(id) => envelope(id, { type: 'command', payload: { name: 'ping' } }), 'forbidden_type'],
    'notices of the bus': [(id) => envelope(id, { type: 'system' }), 'forbidden_type'],
    'events in the name of another': [() => envelope('somebody'), 'sender_mismatch'],
    'another version': [(id) => envelope(id, { version: '9.0' }), 'unsupported_version'],
  }
  test.each(Object.entries(garbage))(
    'invalid frames of a telemetry subscriber are refused, and the fifth closes the connection: %s',
    async (_, [frame, code]) => {
      const one = await bus.listen()
      const before = await bus.metric(`arqonbus_messages_rejected_total{code="${code}"}`)
      for (let times = 1; times <= 5; times++) {
        one.raw(frame(one.id))
        const { payload } = await one.next(({ type }) => type === 'command_response')
        expect(payload).toMatchObject({ status: 'error', error: { code } })
      }
      expect((await one.closed).code).toBe(1008)
      expect(await bus.metric(`arqonbus_messages_rejected_total{code="${code}"}`)).toBe(before + 5)
    },
  )

  test('an invalid telemetry event is refused with its path, and the connection stays open', async () => {
    const one = await bus.listen()
    const faults: [fields: object, path: string][] = [
      [{ payload: {} }, '/payload/eventType'],
      [{ payload: { eventType: 'x' } }, '/payload/payload'],
      [{ payload: { eventType: '', payload: {} } }, '/payload/eventType'],
      [{ payload: { eventType: 'x'.repeat(65), payload: {} } }, '/payload/eventType'],
      [{ payload: { eventType: 1, payload: {} } }, '/payload/eventType'],
      [{ payload: { eventType: 'x', payload: [] } }, '/payload/payload'],
      [{ payload: { eventType: 'x', payload: {}, more: 1 } }, '/payload/more'],
      [{ channel: 'dashboard-events' }, '/channel'],
      [{ room: 'science' }, '/room'],
    ]
    for (const [fields, path] of faults) {
      one.raw(envelope(one.id, fields))
      const { payload } = await one.next(({ type }) => type === 'command_response')
      expect(payload).toMatchObject({ error: { code: 'invalid_telemetry', details: { path } } })
    }
    expect(one.socket.readyState).toBe(WebSocket.OPEN)
    await one.close()
  })

  test('telemetry events over the rate are refused, and sustained flooding closes the connection', async () => {
    const one = await bus.listen()
    const before = await bus.metric('arqonbus_limits_hit_total{limit="message_rate"}')
    for (let i = 0; i < 150; i++) one.raw(envelope(one.id))
    const { payload } = await one.next(({ type }) => type === 'command_response')
    expect(payload).toMatchObject({ error: { code: 'rate_limited', retry_after_ms: expect.any(Number) } })
    expect(await one.closed).toEqual({ code: 4429, reason: 'sustained flooding' })
    expect(await bus.metric('arqonbus_limits_hit_total{limit="message_rate"}')).toBeGreaterThan(before)
  })

  test('a telemetry subscriber with echo=false does not receive its own events', async () => {
    const [one, other] = [await bus.listen({ echo: 'false' }), await bus.listen()]
    one.raw(envelope(one.id, { payload: { eventType: 'first', payload: {} } }))
    other.raw(envelope(other.id, { payload: { eventType: 'second', payload: {} } }))
    const typeOf = (frame: { payload: object }) => (frame.payload as { eventType?: string }).eventType
    await one.next((frame) => typeOf(frame) === 'second')
    expect(one.frames.map(typeOf)).not.toContain('first')
    await other.next((frame) => typeOf(frame) === 'first')
    heardSoFar(one)
  })
})

test('a telemetry connection over the limit is refused with 503 and counted, and the bus accepts as before', async () => {
  const small = await startBus({ telemetryMaxConnections: 2 })
  const [first] = [await small.listen(), await small.listen()]
  const raw = await openRaw(small.telemetryUrl!)
  expect(await raw.head()).toMatchObject({ status: 503 })
  expect(await small.metric('arqonbus_limits_hit_total{limit="telemetry_connections"}')).toBe(1)
  expect(await small.metric('arqonbus_telemetry_connections')).toBe(2)
  await small.connect()
  await first!.close()
  await small.listen()
})

describe('the port', () => {
  const occupied = async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    return { port: (other.address() as { port: number }).port, free: () => other.close() }
  }

  test('a telemetry port that is in use stops the start with a message that names the setting', async () => {
    const { port, free } = await occupied()
    await expect(startBus({ telemetryPort: port })).rejects.toThrow(
      /telemetry server cannot listen.*port is in use.*ARQONBUS_TELEMETRY_PORT/,
    )
    free()
  })

  test('a telemetry port that is in use but not required leaves a degraded bus that states the reason', async () => {
    const { port, free } = await occupied()
    const other = await startBus({ telemetryPort: port, telemetryRequired: false })
    expect(other.telemetryUrl).toBeUndefined()
    expect(await (await fetch(`${other.httpUrl}/health`)).json()).toMatchObject({
      status: 'degraded',
      reasons: [{ code: 'telemetry_unavailable', detail: expect.stringMatching(/port is in use/) }],
    })
    const watcher = await other.as('watcher', 'integriguard:telemetry-stream')
    await other.as('ann')
    await heard(watcher, 'client_connected', { client_id: 'ann' })
    free()
  })

  test('the telemetry port is not opened if the telemetry server is switched off', async () => {
    const other = await startBus({ telemetry: false })
    expect(other.telemetryUrl).toBeUndefined()
    expect(await (await fetch(`${other.httpUrl}/health`)).json()).toMatchObject({ status: 'ok' })
    const watcher = await other.as('watcher', 'integriguard:telemetry-stream')
    await other.as('ann')
    await heard(watcher, 'client_connected', { client_id: 'ann' })
  })
})

test('a shutdown is announced to telemetry subscribers, which receive its events before the close with 1012', async () => {
  const other = await startBus()
  const listener = await other.listen()
  await other.as('ann')
  await heard(listener, 'client_connected', { client_id: 'ann' })
  await Promise.all([
    other.drain('the test'),
    listener.next(({ payload }) => (payload as { event?: string }).event === 'shutdown'),
    heard(listener, 'client_disconnected', { client_id: 'ann' }),
  ])
  expect(await listener.closed).toEqual({ code: 1012, reason: 'the bus restarts' })
})
