/**
 * Telemetry under load: every event, correct counts, and no cost without subscribers (SC-007,
 * docs/protocol.md#telemetry).
 */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { busEventTypes, SUMMARY_EVENT, type TelemetryEvent, telemetryEvents } from '@arqonbus/protocol'
import { startBus, type TestBus, type TestClient } from '@arqonbus/testing'
import { eventOf, heard } from './support/events.ts'

setDefaultTimeout(120_000)

const unlimited = { rateLimit: null, commandRate: null } as const

/**
 * Adds up the events of a type that a subscriber receives, singly and in summaries, until `total`; returns the number
 * of events and summaries.
 */
async function addUp(listener: TestClient, type: string, total: number) {
  const heard = { events: 0, summaries: 0, sum: 0 }
  while (heard.sum < total) {
    const { eventType, payload } = (await listener.next((frame) => isAbout(eventOf(frame), type)))
      .payload as TelemetryEvent
    heard[eventType === SUMMARY_EVENT ? 'summaries' : 'events']++
    heard.sum += (payload.count as number | undefined) ?? 1
  }
  expect(heard.sum).toBe(total)
  return heard
}
const isAbout = (event: TelemetryEvent | undefined, type: string) =>
  event?.eventType === type || (event?.eventType === SUMMARY_EVENT && event.payload.event_type === type)

/** Publishes without waiting for anything but the socket. */
function flood(client: TestClient, count: number, channels: number): void {
  for (let i = 0; i < count; i++) client.send({ room: 'flood', channel: `c${i % channels}`, payload: { i } })
}

/** How many events of each type the bus has generated. */
const eventCounts = async (bus: TestBus) =>
  Object.fromEntries(
    await Promise.all(
      busEventTypes.map(async (type) => [type, await bus.metric(`arqonbus_telemetry_events_total{type="${type}"}`)]),
    ),
  ) as Record<string, number>

test('messages are reported as counts for each channel and tick that add up, even beyond the budget', async () => {
  const bus = await startBus(unlimited)
  const [listener, watcher] = [await bus.listen(), await bus.as('watcher', 'integriguard:telemetry-stream')]
  const [ann, bob] = [await bus.as('ann'), await bus.as('bob')]
  for (const client of [ann, bob]) flood(client, 10_000, 120)
  const [one, other] = await Promise.all([listener, watcher].map((who) => addUp(who, 'message_routed', 20_000)))
  expect(one!).toEqual(other!)
  expect(one!.summaries).toBeGreaterThan(0)
  expect(one!.events + one!.summaries).toBeLessThan(20_000)
  expect(await bus.metric('arqonbus_telemetry_dropped_total{reason="budget"}')).toBeGreaterThan(0)
})

test('a storm of clients is reported one by one within the budget and as counts beyond it', async () => {
  const bus = await startBus(unlimited)
  const listener = await bus.listen({ events: 'client_connected,client_disconnected' })
  const many = 300
  const clients = await Promise.all(Array.from({ length: many }, (_, i) => bus.as(`storm-${i}`)))
  const came = await addUp(listener, 'client_connected', many)
  await Promise.all(clients.map((client) => client.close()))
  await addUp(listener, 'client_disconnected', many)
  expect(came.summaries).toBeGreaterThan(0)
})

test('under full load every telemetry subscriber sees each client connect and disconnect, in order', async () => {
  const bus = await startBus(unlimited)
  const listeners = await Promise.all(Array.from({ length: 10 }, () => bus.listen()))
  const ann = await bus.as('ann', 'flood:c0')
  let isOver = false
  const load = (async () => {
    while (!isOver) {
      flood(ann, 100, 20)
      await ann.messages()
    }
  })()
  // With Ann, no tick has more than its budget of single events, however fast they connect and disconnect.
  const ids = Array.from({ length: telemetryEvents.client_connected.budget - 1 }, (_, i) => `seen-${i}`)
  const comeAndGo = async () => {
    for (const id of ids) await (await bus.as(id)).close()
  }
  /** The events of these clients at a subscriber, up to the last disconnect. */
  const hears = async (listener: TestClient) => {
    const steps: string[] = []
    while (steps.length < 2 * ids.length) {
      const { eventType, payload } = (await listener.next()).payload as TelemetryEvent
      const id = String(payload.client_id)
      if (ids.includes(id)) steps.push(`${id} ${eventType}`)
    }
    return steps
  }
  const [, ...heard] = await Promise.all([comeAndGo(), ...listeners.map(hears)])
  isOver = true
  await load
  const expected = ids.flatMap((id) => [`${id} client_connected`, `${id} client_disconnected`])
  for (const steps of heard) expect(steps).toEqual(expected)
})

test('many telemetry subscribers all receive every event once and in order', async () => {
  const bus = await startBus(unlimited)
  const listeners = await Promise.all(Array.from({ length: 40 }, () => bus.listen({ client_events: '*' })))
  const ann = await bus.as('ann')
  const many = 200
  for (let i = 0; i < many; i++) {
    const payload = { eventType: 'step', payload: { i } }
    ann.send({ type: 'telemetry', room: 'integriguard', channel: 'telemetry-stream', payload })
    if (i % 20 === 0) await ann.command('ping')
    // One subscriber disconnects, another one replaces it.
    if (i === many / 2) await listeners.shift()!.close()
  }
  for (const listener of listeners) {
    for (let i = 0; i < many; i++) expect((await listener.next()).payload.payload).toEqual({ i })
    expect(listener.frames).toEqual([])
  }
  const last = await bus.listen({ client_events: 'step' })
  ann.send({
    type: 'telemetry',
    room: 'integriguard',
    channel: 'telemetry-stream',
    payload: { eventType: 'step', payload: { i: many } },
  })
  for (const listener of [...listeners, last]) expect((await listener.next()).payload.payload).toEqual({ i: many })
})

test('events without a subscriber are never generated', async () => {
  const bus = await startBus(unlimited)
  const act = async (id: string) => {
    const client = await bus.connect({ query: { client_id: id, client_type: 'ai-agent', join: `room-${id}:talk` } })
    await client.publish({ room: `room-${id}`, channel: 'talk' })
    client.raw('{')
    await client.answer(null)
    await client.close()
  }
  await act('unheard')
  const listener = await bus.listen({ events: 'channel_left' })
  await act('heard')
  await heard(listener, 'channel_left', { client_id: 'heard' })
  const generated = Object.entries(await eventCounts(bus)).filter(([, count]) => count > 0)
  expect(generated).toEqual([['channel_left', 1]])
})

test('no event contains anything of a message, a token or a session', async () => {
  const bus = await startBus({ ...unlimited, adminKey: 'hush-the-key' })
  const listener = await bus.listen()
  const secrets = ['hush-text', 'hush-meta', 'hush-private', 'hush-refused', 'hush-the-key', 'hush-reason']
  const ann = await bus.connect({
    query: { client_id: 'ann', client_type: 'ai-agent', join: 'said:talk', personality: 'hush-personality' },
    headers: { Authorization: 'Bearer hush-the-key' },
  })
  await bus.as('bob')
  const say = { room: 'said', channel: 'talk' }
  await ann.publish({ ...say, payload: { text: 'hush-text' }, metadata: { note: 'hush-meta' } })
  await ann.publish({
    ...say,
    type: 'private',
    channel: 'pm',
    payload: { text: 'hush-private' },
    metadata: { to: 'bob' },
  })
  ann.raw(`{"payload":"hush-refused"`)
  await ann.answer(null)
  await ann.publish({ room: 'arqonbus', channel: 'control', payload: { text: 'hush-refused' } }).catch(() => {})
  await ann.command('create_channel', {
    channel: 'said:more',
    metadata: { note: 'hush-meta' },
    admin_key: 'hush-the-key',
  })
  await ann.command('disconnect_client', { client_id: 'bob', reason: 'hush-reason' })
  const back = { query: { client_id: 'ann' }, headers: { 'Arqonbus-Session': ann.welcome.session } }
  await (await bus.connect(back)).close()
  await bus.as('last')
  const texts: string[] = []
  for (let isLast = false; !isLast; ) {
    const frame = await listener.next((one) => eventOf(one) !== undefined)
    texts.push(JSON.stringify(frame))
    isLast = texts.at(-1)!.includes('"last"')
  }
  expect(texts.length).toBeGreaterThan(12)
  const all = texts.join('\n')
  for (const secret of [...secrets, 'hush', ann.welcome.session]) expect(all).not.toContain(secret)
  expect(all).toContain('message_routed')
})
