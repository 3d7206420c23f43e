/**
 * Telemetry subscribers that do not read, or whose connection is dead: only they miss events
 * (docs/protocol.md#telemetry).
 */
import { afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { eventually, openRaw, type RawSocket, startBus, type TestBus, testClock } from '@arqonbus/testing'

setDefaultTimeout(120_000)

const clock = testClock()
const BOUND = 64 * 1024
const start = () =>
  startBus({ telemetryBufferBytes: BOUND, rateLimit: null, pingIntervalMs: 50, pingTimeoutMs: 60_000 }, { clock })

const raws: RawSocket[] = []
afterEach(() => {
  for (const raw of raws.splice(0)) raw.destroy()
})

/** A subscriber that has stopped reading. */
async function stopped(bus: TestBus, query = '') {
  const raw = await openRaw(`${bus.telemetryUrl!}?client_events=*${query}`)
  raws.push(raw)
  await raw.nextJson()
  raw.pause()
  return raw
}

const dropped = (bus: TestBus) => bus.metric('arqonbus_telemetry_dropped_total{reason="slow"}')

/** Sends events until a subscriber misses some: the kernel buffers a few MiB for one that does not read. */
async function flood(bus: TestBus) {
  const ann = await bus.as('ann')
  let sent = 0
  const send = () => {
    const payload = { eventType: 'noise', payload: { i: sent++, text: 'x'.repeat(32 * 1024) } }
    return ann.publish({ type: 'telemetry', room: 'integriguard', channel: 'telemetry-stream', payload })
  }
  const before = await dropped(bus)
  while ((await dropped(bus)) < before + 20 && sent < 1000) for (let i = 0; i < 20; i++) await send()
  return { ann, send, sent: () => sent }
}

const connections = (bus: TestBus) => bus.metric('arqonbus_telemetry_connections')

/** Continues until the subscriber is closed: at times the kernel buffers more, and it is not slow for a moment. */
async function floodUntilClosed(bus: TestBus) {
  const { ann, send } = await flood(bus)
  while ((await connections(bus)) > 0) {
    for (let i = 0; i < 20; i++) await send()
    clock.advance(5001)
    await ann.command('ping')
  }
}

test('a telemetry subscriber that reads again learns how many events it missed, and others miss none', async () => {
  const bus = await start()
  const [slow, other] = [await stopped(bus), await bus.listen({ client_events: '*' })]
  const { send, sent } = await flood(bus)
  expect(sent()).toBeLessThan(1000)
  slow.resume()
  let [got, missed] = [0, 0]
  while (got + missed < sent()) {
    const { type, payload } = await slow.nextJson()
    if (type === 'telemetry') expect(payload.payload).toMatchObject({ i: missed + got++ })
    else if (payload.event === 'missed') missed += payload.count as number
  }
  expect(missed).toBeGreaterThan(0)
  expect(await dropped(bus)).toBe(missed)
  await send()
  expect((await slow.nextJson()).payload).toMatchObject({ payload: { i: sent() - 1 } })
  const all = await eventually(() => {
    const events = other.frames.filter(({ type }) => type === 'telemetry')
    expect(events).toHaveLength(sent())
    return events
  })
  expect(all.map(({ payload }) => (payload.payload as { i: number }).i)).toEqual(
    Array.from({ length: sent() }, (_, i) => i),
  )
})

test('a telemetry subscriber that never reads is closed after 5 seconds, and the bus serves as before', async () => {
  const bus = await start()
  await stopped(bus)
  await floodUntilClosed(bus)
  expect(await bus.metric('arqonbus_slow_consumers_closed_total')).toBe(1)
  const bob = await bus.as('bob', 'a:b')
  await bob.publish({ room: 'a', channel: 'b' })
  expect(await bob.messages()).toHaveLength(1)
})

test('a telemetry subscriber that reads again in time receives the code of its close', async () => {
  const bus = await start()
  const slow = await stopped(bus)
  await floodUntilClosed(bus)
  slow.resume()
  expect((await slow.ended).code).toBe(4429)
})

// A long frame waits in a separate queue, whose end must not resume reading from the connection.
test.each([
  ['short frames', 0],
  ['short and long frames', 40 * 1024],
])('a telemetry subscriber that sends %s and does not read its replies is no longer read', async (_, length) => {
  const bus = await start()
  const slow = await stopped(bus, '&client_id=loud')
  const before = await bus.metric('arqonbus_messages_received_total')
  const frame = (text = '') => ({
    payload: `{"version":"1.0","id":"arq_1","type":"telemetry","room":"integriguard","channel":"telemetry-stream","from":"loud","timestamp":"2026-01-01T00:00:00Z","payload":{"eventType":"x","payload":{"text":"${text}"}},"metadata":{"ack":true}}`,
  })
  const sent = 60_000
  for (let i = 0; i < sent; i++) slow.frame(frame(i % 200 === 199 ? 'x'.repeat(length) : ''))
  let seen = before
  await eventually(
    async () => {
      const now = await bus.metric('arqonbus_messages_received_total')
      const isStill = now === seen
      seen = now
      expect(isStill).toBe(true)
    },
    { everyMs: 200 },
  )
  expect(seen - before).toBeLessThan(sent)
})

test('a telemetry subscriber whose connection is dead is closed by the heartbeat', async () => {
  const bus = await start()
  const dead = await stopped(bus)
  await eventually(async () => {
    clock.advance(60_001)
    expect(await connections(bus)).toBe(0)
  })
  dead.resume()
  expect((await dead.ended).code).toBe(4408)
})

test('a telemetry subscriber that answers pings stays connected', async () => {
  const bus = await start()
  const quiet = await bus.listen()
  for (let i = 0; i < 5; i++) {
    const pinged = new Promise((resolve) => quiet.socket.addEventListener('ping', resolve, { once: true }))
    clock.advance(50_000)
    await pinged
    // Its pong was sent before this request.
    expect(await bus.metric('arqonbus_telemetry_connections')).toBe(1)
  }
  expect(quiet.socket.readyState).toBe(WebSocket.OPEN)
})
