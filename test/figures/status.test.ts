/** What `status` says of the server: counts, refusals, limits in use, storage, and what needs attention. */
import { describe, expect, test } from 'bun:test'
import { eventually, refusal } from '@arqonbus/testing'
import { openStream } from '../api/call.ts'
import { run } from '../support/ask.ts'
import { POINTS, send, startMeasured } from './measured.ts'

describe('counts', () => {
  test('connections, streams and clients are the same numbers in status, lists and metrics', async () => {
    const bus = await startMeasured()
    const [ann] = await Promise.all([bus.as('ann', 'talk:a'), bus.as('bob', 'talk:a', 'talk:b')])
    const stream = await openStream(bus.httpUrl, 'talk:a')
    await stream.nextOf('joined')
    const listener = await bus.listen()
    await bus.call('/status')
    const { totals } = await run(ann, 'status')
    expect(totals).toMatchObject({ connections: 2, streams: 1, clients: 3, participants: 4 })
    const { clients } = await run(ann, 'list_clients')
    expect(clients.length).toBe(totals.clients)
    expect(await bus.metric('arqonbus_connections')).toBe(totals.connections)
    expect(await bus.metric('arqonbus_http_streams')).toBe(totals.streams)
    expect(await bus.metric('arqonbus_subscriptions')).toBe(totals.participants)
    bus.sample()
    expect(await bus.latest('connections')).toBe(totals.connections)
    const { channels } = await run(ann, 'list_channels', { room: 'talk' })
    expect(channels.map((one) => [one.name, one.participant_count])).toEqual([
      ['a', 3],
      ['b', 1],
    ])
    for (const { name, participant_count: count } of channels) {
      const { channel } = await run(ann, 'channel_info', { channel: `talk:${name}` })
      expect([channel.participant_count, channel.participants.length]).toEqual([count, count])
      expect((await run(ann, 'list_clients', { channel: `talk:${name}` })).clients.length).toBe(count)
    }
    stream.close()
    await listener.close()
    await eventually(async () => expect((await run(ann, 'status')).totals).toMatchObject({ streams: 0, clients: 2 }))
  })
})

describe('lists', () => {
  test('status without lists says the same of the bus, and does not grow with rooms and clients', async () => {
    const bus = await startMeasured()
    const ann = await bus.as('ann')
    const length = async (lists: boolean) => JSON.stringify(await run(ann, 'status', { lists })).length
    const before = await length(false)
    await Promise.all(Array.from({ length: 120 }, (_, i) => bus.as(`client-${i}`, `room-${i}:a`)))
    const { rooms, rooms_cursor, clients, clients_cursor, ...rest } = await run(ann, 'status')
    expect([rooms.length, clients?.length]).toEqual([100, 100])
    expect([rooms_cursor, clients_cursor]).toEqual([expect.any(String), expect.any(String)])
    const brief = await run(ann, 'status', { lists: false })
    expect(brief).toEqual({ ...rest, rooms: [], clients: [], server: brief.server })
    expect(brief.totals).toMatchObject({ clients: 121, rooms: 122 })
    expect((await bus.call('/status?lists=false')).body).toMatchObject({ totals: { rooms: 122 }, rooms: [] })
    expect((await length(false)) - before).toBeLessThan(200)
    expect(await length(true)).toBeGreaterThan(20_000)
  })
})

describe('refusals', () => {
  test('status lists the refusals of 15 minutes by code, with the client that caused most', async () => {
    const bus = await startMeasured({ maxViolations: 1000 })
    const [ann, bob] = await Promise.all([bus.as('ann'), bus.as('bob')])
    for (let i = 0; i < 3; i++) await refusal(ann.publish({ room: 'arqonbus', channel: 'control' }))
    for (let i = 0; i < 8; i++) await refusal(bob.publish({ room: 'arqonbus', channel: 'control' }))
    await refusal(ann.command('channel_info', { channel: 'no:where' }))
    const { refusals, attention } = await bus.status(ann)
    expect(refusals).toEqual([
      { code: 'system_channel', count: 11, client_id: 'bob' },
      { code: 'room_not_found', count: 1, client_id: 'ann' },
    ])
    expect(attention).toContainEqual({
      code: 'refusals',
      subject: 'system_channel',
      since: new Date(bus.clock.now()).toISOString(),
      count: 12,
    })
    expect(await bus.metric('arqonbus_messages_rejected_total{code="system_channel"}')).toBe(11)
    for (let i = 0; i < POINTS; i++) bus.sample()
    expect((await bus.status(ann)).refusals).toEqual([])
    expect((await bus.status(ann)).attention.map(({ code }) => code)).not.toContain('refusals')
  })

  test('a client that exceeds its rate is named, since when it does', async () => {
    const bus = await startMeasured({ rateLimit: { perSecond: 1, burst: 5 } })
    const [ann, bob] = await Promise.all([bus.as('ann'), bus.as('bob')])
    for (let i = 0; i < 20; i++) bob.send({ room: 'talk', channel: 'a' })
    for (let i = 0; i < 15; i++) await bob.next(({ payload }) => payload.error !== undefined)
    const since = new Date(bus.clock.now() + 1000).toISOString()
    const limited = { code: 'rate_limited', subject: 'bob', since, count: 15 } as const
    expect((await bus.status(ann)).attention).toContainEqual(limited)
    expect((await bus.status(ann)).attention).toContainEqual(limited)
  })
})

describe('limits', () => {
  const limitOf = ({ limits }: Awaited<ReturnType<typeof run<'status'>>>, name: string) =>
    limits.find(({ limit }) => limit === name)

  test('status says how much of each limit is in use, and which is near', async () => {
    const bus = await startMeasured({
      maxConnections: 10,
      maxSubscriptions: 5,
      maxParticipants: 3,
      maxRoomParticipants: 4,
    })
    const ann = await bus.as('ann', 'a:one', 'a:two', 'b:*')
    const calm = await bus.status(ann)
    expect(limitOf(calm, 'connections')).toEqual({ limit: 'connections', used: 1, most: 10 })
    expect(limitOf(calm, 'subscriptions')).toEqual({ limit: 'subscriptions', used: 3, most: 5 })
    expect(limitOf(calm, 'participants')).toEqual({ limit: 'participants', used: 1, most: 3 })
    expect(limitOf(calm, 'room_participants')).toEqual({ limit: 'room_participants', used: 1, most: 4 })
    expect(limitOf(calm, 'rooms')?.used).toBe(calm.totals.rooms)
    expect(limitOf(calm, 'channels')?.used).toBe(calm.totals.channels)
    const shares = calm.limits.map(({ used, most }) => used / most)
    expect(shares).toEqual(shares.toSorted((a, b) => b - a))
    expect(calm.attention.map(({ code }) => code)).not.toContain('limit_near')

    const others = await Promise.all(['bob', 'carol'].map((id) => bus.as(id, 'a:one', 'a:three')))
    await bus.as('dora', 'a:three')
    const since = new Date(bus.clock.now() + 1000).toISOString()
    const full = await bus.status(ann)
    expect(limitOf(full, 'participants')).toMatchObject({ used: 3 })
    expect(limitOf(full, 'room_participants')).toMatchObject({ used: 4 })
    expect(full.attention).toContainEqual({ code: 'limit_near', subject: 'participants', since, count: 3 })
    expect(full.attention).toContainEqual({ code: 'limit_near', subject: 'room_participants', since, count: 4 })
    expect((await bus.status(ann)).attention).toContainEqual({
      code: 'limit_near',
      subject: 'participants',
      since,
      count: 3,
    })

    for (const one of others) await one.close()
    await ann.command('leave_channel', { channel: 'b:*' })
    await eventually(async () => {
      const less = await bus.status(ann)
      expect(limitOf(less, 'participants')).toMatchObject({ used: 1 })
      expect(limitOf(less, 'room_participants')).toMatchObject({ used: 2 })
      expect(limitOf(less, 'subscriptions')).toMatchObject({ used: 2 })
      expect(less.attention.map(({ subject }) => subject)).not.toContain('participants')
    })
  })

  test('a channel with a limit of its own does not count as full for the others', async () => {
    const bus = await startMeasured({ maxParticipants: 10 })
    const ann = await bus.as('ann')
    await ann.command('create_channel', { channel: 'own:pair', options: { max_participants: 2 } })
    await Promise.all(['bob', 'carol'].map((id) => bus.as(id, 'own:pair')))
    expect(limitOf(await bus.status(ann), 'participants')).toMatchObject({ used: 0, most: 10 })
  })

  test('status is one frame, whatever needs attention and is refused', async () => {
    const bus = await startMeasured({ maxViolations: 1_000_000 })
    const ids = Array.from({ length: 120 }, (_, i) => `${i}`.padEnd(64, 'x'))
    const clients = await Promise.all(
      ids.map((id) =>
        bus.connect({ query: { client_id: id, screen_name: 'é'.repeat(128), avatar: 'é'.repeat(1000) } }),
      ),
    )
    for (const client of clients.slice(0, 3)) for (let i = 0; i < 10; i++) client.raw('{')
    await clients[0]!.everything()
    const { attention, clients: listed, refusals } = await bus.status(clients[0]!)
    expect(attention.length).toBeLessThanOrEqual(5)
    expect(refusals.length).toBeGreaterThan(0)
    expect(listed!.length).toBeWithin(10, 101)
  })
})

describe('storage', () => {
  test('status says how large the history may be, and how fast it grows', async () => {
    const bus = await startMeasured({ historyBytes: 50 * 1024 * 1024 })
    const ann = await bus.as('ann')
    const fresh = (await bus.status(ann)).storage
    expect(fresh).toMatchObject({ driver: 'memory', max_bytes: 50 * 1024 * 1024, history_bytes: 0 })
    for (const field of ['store', 'last_outage', 'growth_bytes_per_second']) expect(fresh).not.toHaveProperty(field)
    bus.sample()
    await send(ann, 'talk:a', 50)
    bus.sample()
    bus.sample()
    const { history_bytes: bytes, growth_bytes_per_second: growth } = (await bus.status(ann)).storage
    expect(growth).toBe(bytes / 20)
  })
})

test('telemetry that could not begin to listen needs attention', async () => {
  const first = await startMeasured()
  const port = Number(new URL(first.telemetryUrl!).port)
  const second = await startMeasured({ telemetryPort: port, telemetryRequired: false })
  const { attention } = await second.status(await second.as('ann'))
  expect(attention).toContainEqual({ code: 'telemetry_unavailable', since: expect.any(String), count: 1 })
})
