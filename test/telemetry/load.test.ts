/**
 * Telemetry under load: every event, correct counts, and no cost without subscribers (SC-007,
 * docs/protocol.md#telemetry).
 */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { type BusEventType, busEventTypes, SUMMARY_EVENT, type TelemetryEvent } from '@arqonbus/protocol'
import { startBus, type TestBus, type TestClient } from '@arqonbus/testing'
import { eventOf, heard } from './support/events.ts'

setDefaultTimeout(120_000)

const unlimited = { rateLimit: null, commandRate: null } as const

/** The number of occurrences by name that a subscriber hears of, until they are `total`; fails if any is in a summary. */
async function tellsOf(listener: TestClient, type: BusEventType, name: string, total: number) {
  const counts: Record<string, number> = {}
  for (let sum = 0; sum < total; ) {
    const { eventType, payload } = (await listener.next((frame) => isAbout(eventOf(frame), type)))
      .payload as TelemetryEvent
    expect(eventType).toBe(type)
    const count = (payload.count as number | undefined) ?? 1
    const named = String(payload[name])
    counts[named] = (counts[named] ?? 0) + count
    sum += count
  }
  return counts
}
const isAbout = (event: TelemetryEvent | undefined, type: string) =>
  event?.eventType === type || (event?.eventType === SUMMARY_EVENT && event.payload.event_type === type)

/** The same number for each of these names. */
const each = (names: readonly string[], count: number) => Object.fromEntries(names.map((name) => [name, count]))

/** Ids or rooms. */
const named = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}-${i}`)

/** Publishes without waiting for anything but the socket. */
function flood(client: TestClient, count: number, rooms: readonly string[]): void {
  for (let i = 0; i < count; i++) client.send({ room: rooms[i % rooms.length]!, channel: 'talk', payload: { i } })
}

/** How many events of each type the bus has generated. */
const eventCounts = async (bus: TestBus) =>
  Object.fromEntries(
    await Promise.all(
      busEventTypes.map(async (type) => [type, await bus.metric(`arqonbus_telemetry_events_total{type="${type}"}`)]),
    ),
  ) as Record<string, number>

test('10,000 messages to 100 rooms in one burst name every room, with counts that add up, to both audiences', async () => {
  const bus = await startBus(unlimited)
  const [listener, watcher] = [await bus.listen(), await bus.as('watcher', 'integriguard:telemetry-stream')]
  const rooms = named('busy', 100)
  for (const client of [await bus.as('ann'), await bus.as('bob')]) flood(client, 5000, rooms)
  const heard = await Promise.all([listener, watcher].map((who) => tellsOf(who, 'message_routed', 'room', 10_000)))
  expect(heard).toEqual([each(rooms, 100), each(rooms, 100)])
})

test('1,000 clients that connect at once are all named, and again when they disconnect', async () => {
  const bus = await startBus(unlimited)
  const listener = await bus.listen({ events: 'client_connected,client_disconnected' })
  const ids = named('storm', 1000)
  const clients = await Promise.all(ids.map((id) => bus.as(id)))
  expect(await tellsOf(listener, 'client_connected', 'client_id', ids.length)).toEqual(each(ids, 1))
  await Promise.all(clients.map((client) => client.close()))
  expect(await tellsOf(listener, 'client_disconnected', 'client_id', ids.length)).toEqual(each(ids, 1))
})

test('120 agents that speak at once are all named, with the number of their messages', async () => {
  const bus = await startBus(unlimited)
  const ids = named('agent', 120)
  const agents = await Promise.all(
    ids.map((client_id) => bus.connect({ query: { client_id, client_type: 'ai-agent' } })),
  )
  // What happened before has no subscriber, so that this one hears of nothing but messages.
  const listener = await bus.listen({ events: 'agent_activity' })
  for (const agent of agents) flood(agent, 5, ['lab'])
  expect(await tellsOf(listener, 'agent_activity', 'client_id', 600)).toEqual(each(ids, 5))
})

test('what exceeds a tick is sent in the next ones, and each client and channel in the order of its events', async () => {
  const bus = await startBus({ ...unlimited, channelIdleMs: 0, telemetryEventsPerSecond: 200 })
  const listener = await bus.listen()
  const ids = named('brief', 40)
  await Promise.all(
    ids.map(async (id) => {
      const client = await bus.as(id)
      for (const name of ['create_channel', 'join_channel', 'leave_channel', 'delete_channel'] as const)
        await client.command(name, { channel: `of-${id}:talk` })
      await client.close()
    }),
  )
  const steps = new Map(ids.map((id) => [id, [] as string[]]))
  for (let left = ids.length; left > 0; ) {
    const { eventType, payload } = (await listener.next((frame) => eventOf(frame) !== undefined))
      .payload as TelemetryEvent
    const id = String(payload.client_id ?? String(payload.room).slice('of-'.length))
    steps.get(id)?.push(eventType)
    if (eventType === 'client_disconnected') left--
  }
  const expected = [
    'client_connected',
    'channel_created',
    'channel_joined',
    'channel_left',
    'channel_deleted',
    'client_disconnected',
  ]
  expect(Object.fromEntries(steps)).toEqual(Object.fromEntries(ids.map((id) => [id, expected])))
})

test('where more events wait than may, a summary has the number of the rest and says why, and a metric counts them', async () => {
  const bus = await startBus({ ...unlimited, telemetryEventsPerSecond: 10, telemetryMaxWaiting: 5 })
  const listener = await bus.listen({ events: 'message_routed' })
  const rooms = named('busy', 50)
  flood(await bus.as('ann'), 1000, rooms)
  let [sum, summed] = [0, 0]
  while (sum < 1000) {
    const { eventType, payload } = (await listener.next((frame) => isAbout(eventOf(frame), 'message_routed')))
      .payload as TelemetryEvent
    sum += payload.count as number
    if (eventType !== SUMMARY_EVENT) continue
    expect(payload).toMatchObject({ event_type: 'message_routed', reason: 'queue_full' })
    summed += payload.count as number
  }
  expect(sum).toBe(1000)
  expect(summed).toBeGreaterThan(0)
  expect(await bus.metric('arqonbus_telemetry_dropped_total{reason="queue_full"}')).toBe(summed)
  expect(await bus.metric('arqonbus_limit{limit="telemetry_waiting"}')).toBe(5)
  expect(await bus.metric('arqonbus_telemetry_waiting')).toBeLessThanOrEqual(5)
})

test('under full load every telemetry subscriber sees each client connect and disconnect, in order', async () => {
  const bus = await startBus(unlimited)
  const listeners = await Promise.all(Array.from({ length: 10 }, () => bus.listen()))
  const ann = await bus.as('ann', 'flood-0:talk')
  let isOver = false
  const load = (async () => {
    while (!isOver) {
      flood(ann, 100, named('flood', 20))
      await ann.messages()
    }
  })()
  const ids = named('seen', 20)
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
