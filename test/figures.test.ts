/** The figures that the server keeps of itself (docs/guide/operations.md#figures). */
import { describe, expect, test } from 'bun:test'
import { compile, type SERIES_POINTS, Series, type SeriesName } from '@arqonbus/protocol'
import type { Config, Every } from '@arqonbus/server'
import { eventually, openRaw, refusal, startBus, type TestClient, testClock } from '@arqonbus/testing'
import { caller, openStream } from './api/call.ts'
import { run } from './support/ask.ts'

const POINTS: typeof SERIES_POINTS = 90
const EVERY_MS = 10_000
const adminKey = 'correct-horse-battery-staple'

/** A bus on a clock of its own, whose timers fire when the test says so. */
async function startMeasured(config: Partial<Config> = {}) {
  const clock = testClock()
  const timers = new Set<{ readonly ms: number; readonly task: () => void }>()
  const every: Every = (ms, task) => {
    const timer = { ms, task }
    timers.add(timer)
    return () => void timers.delete(timer)
  }
  const fire = (most: number, least = 0) => {
    for (const { ms, task } of [...timers]) if (ms <= most && ms >= least) task()
  }
  const bus = await startBus({ adminKey, rateLimit: null, httpCacheMs: 0, ...config }, { clock, every })
  const call = caller(bus.httpUrl)
  return {
    ...bus,
    call,
    clock,
    /** What is done every second, and more often. */
    everySecond: () => fire(1000),
    /** Ten seconds pass. */
    sample() {
      clock.advance(EVERY_MS)
      fire(EVERY_MS, EVERY_MS)
    },
    series: async (): Promise<Series> => (await call('/series')).body,
    latest: async (name: SeriesName) => (await call('/series')).body.series[name].at(-1) as number | null,
    /** The status as of now: figures of a second ago are not reused. */
    async status(client: TestClient) {
      clock.advance(1000)
      return run(client, 'status')
    },
  }
}

const send = async (client: TestClient, channel: string, count: number) => {
  const [room, name] = channel.split(':') as [string, string]
  for (let i = 0; i < count; i++) client.send({ room, channel: name })
  await client.everything()
}

describe('series', () => {
  test('a server that has just started has no points, and says since when', async () => {
    const bus = await startMeasured()
    const { body, status } = await bus.call('/series')
    expect([status, compile(Series)(body)]).toEqual([200, undefined])
    expect(body.every_ms).toBe(EVERY_MS)
    expect(body.until).toBe(new Date(bus.clock.now()).toISOString())
    for (const points of Object.values(body.series)) expect(points).toEqual(Array(POINTS).fill(null))
  })

  test('a point has the rates since the point before, and the counts as of its time', async () => {
    const bus = await startMeasured()
    const [ann] = await Promise.all([bus.as('ann'), bus.as('bob', 'talk:a'), bus.as('carol', 'talk:a')])
    bus.sample()
    // The ping that waits for them is a frame too.
    await send(ann, 'talk:a', 99)
    bus.sample()
    const { series, until } = await bus.series()
    expect(until).toBe(new Date(bus.clock.now()).toISOString())
    expect(series.messages_per_second.slice(-2)).toEqual([expect.any(Number), 10])
    expect(series.deliveries_per_second.slice(-2)).toEqual([0, 19.8])
    expect(series.connections.slice(-3)).toEqual([null, 3, 3])
    expect(series.bytes_in_per_second.at(-1)).toBeWithin(1000, 4000)
    expect(series.bytes_out_per_second.at(-1)).toBeWithin(4000, 16_000)
    expect(series.refusals_per_second.at(-1)).toBe(0)
    expect(series.processor.at(-1)).toBeWithin(0, 2)
    expect(series.event_loop_delay_ms.at(-1)).toBeGreaterThanOrEqual(0)
    expect(series.append_ms.at(-1)).toBeNull()
    bus.sample()
    expect(await bus.latest('messages_per_second')).toBe(0)
  })

  test('a series has the last 15 minutes, oldest first', async () => {
    const bus = await startMeasured()
    const ann = await bus.as('ann')
    for (let i = 1; i <= POINTS + 2; i++) {
      await send(ann, 'talk:a', 10 * i - 1)
      bus.sample()
    }
    const { series } = await bus.series()
    expect(series.messages_per_second).toEqual(Array.from({ length: POINTS }, (_, i) => i + 3))
  })

  test('the time in which the process was frozen has no points', async () => {
    const bus = await startMeasured()
    bus.sample()
    bus.clock.advance(1)
    bus.clock.freeze(30_000)
    bus.sample()
    expect((await bus.series()).series.connections.slice(-6)).toEqual([null, 0, null, null, null, 0])
  })

  test('refused frames are a series', async () => {
    const bus = await startMeasured()
    const ann = await bus.as('ann')
    for (let i = 0; i < 20; i++) await refusal(ann.publish({ room: 'arqonbus', channel: 'control' }))
    bus.sample()
    expect(await bus.latest('refusals_per_second')).toBe(2)
  })

  test('the endpoint takes the credentials, the parameters and the rate of its siblings', async () => {
    const bus = await startMeasured({
      rateLimit: { perSecond: 100, burst: 100 },
      commandRate: { perSecond: 10, burst: 3 },
    })
    const headers = { authorization: 'Bearer wrong' }
    for (const path of ['/series', '/status'])
      expect(await bus.call(path, { headers })).toMatchObject({
        status: 401,
        body: { error: { code: 'unauthenticated' } },
      })
    expect(await bus.call('/series?limit=1')).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid_parameters' } },
    })
    expect(await bus.call('/series', { method: 'POST', body: '{}' })).toMatchObject({ status: 405 })
    for (const path of ['/series', '/status']) {
      for (let i = 0; i < 3; i++) expect((await bus.call(path)).status).toBe(200)
      expect(await bus.call(path)).toMatchObject({ status: 429, body: { error: { code: 'rate_limited' } } })
    }
    expect(await bus.metric('arqonbus_limits_hit_total{limit="command_rate"}')).toBe(2)
  })
})

describe('rates and orders of lists', () => {
  test('list_clients shows what each client sends a second, and lists the busiest first', async () => {
    const bus = await startMeasured()
    const senders = await Promise.all(['slow', 'fast', 'medium'].map((id) => bus.as(id)))
    const idle = await bus.as('idle')
    const counts = { slow: 9, fast: 399, medium: 99 }
    for (const sender of senders) await send(sender, 'talk:a', counts[sender.id as keyof typeof counts])
    bus.sample()
    const { clients } = await run(idle, 'list_clients', { order: 'rate' })
    const rates = clients.map((one) => [one.client_id, one.messages_per_second])
    expect(rates).toEqual([
      ['fast', 40],
      ['medium', 10],
      ['slow', 1],
      ['idle', 0],
    ])
    const oldest = (await run(idle, 'list_clients')).clients.map((one) => one.client_id)
    expect((await run(idle, 'list_clients', { order: 'oldest' })).clients.map((one) => one.client_id)).toEqual(oldest)
    expect(oldest.at(-1)).toBe('idle')
    bus.sample()
    const later = await run(idle, 'list_clients', { order: 'rate', limit: 2 })
    expect(later.clients.map((one) => [one.client_id, one.messages_per_second])).toEqual([
      ['idle', 0.3],
      [oldest[0]!, 0],
    ])
  })

  test('list_channels shows the messages of each channel a second, and lists the busiest first', async () => {
    const bus = await startMeasured()
    const [ann, bob] = await Promise.all([bus.as('ann'), bus.as('bob')])
    await ann.command('create_channel', { channel: 'quiet:a' })
    await ann.command('create_channel', { channel: 'hidden:a', type: 'private' })
    await send(ann, 'talk:a', 10)
    await send(bob, 'talk:b', 300)
    await send(bob, 'talk:a', 20)
    await send(ann, 'hidden:a', 1000)
    // A broadcast is in no channel.
    ann.send({ room: 'talk', channel: '*' })
    await ann.everything()
    bus.sample()
    const list = async (client: TestClient, parameters: object) =>
      (await run(client, 'list_channels', { order: 'rate', ...parameters })).channels.map((one) => [
        `${one.room}:${one.name}`,
        one.messages_per_second,
      ])
    expect((await list(ann, {})).slice(0, 4)).toEqual([
      ['hidden:a', 100],
      ['talk:b', 30],
      ['talk:a', 3],
      ['arqonbus:control', 0],
    ])
    expect((await list(bob, {})).slice(0, 2)).toEqual([
      ['talk:b', 30],
      ['talk:a', 3],
    ])
    expect(await list(bob, { room: 'talk' })).toEqual([
      ['talk:b', 30],
      ['talk:a', 3],
    ])
    expect(await list(bob, { room: 'quiet' })).toEqual([['quiet:a', 0]])
    const { body } = await bus.call('/channels?order=rate&limit=1')
    expect(body.channels).toMatchObject([{ name: 'b', messages_per_second: 30 }])
    expect(await bus.call('/channels?order=queue')).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid_parameters' } },
    })
    bus.sample()
    expect((await list(bob, { room: 'talk' })).map(([, rate]) => rate)).toEqual([0, 0])
  })

  test('pages of a list by rate have each entry once: those with traffic first, then all others', async () => {
    const bus = await startMeasured()
    const ann = await bus.as('ann')
    const names = ['a', 'b', 'c', 'd', 'e']
    for (const name of names) await ann.command('create_channel', { channel: `pages:${name}` })
    await send(ann, 'pages:d', 20)
    await send(ann, 'pages:b', 40)
    await send(ann, 'pages:e', 30)
    bus.sample()
    const pages: string[][] = []
    let cursor: string | undefined
    do {
      const page = await run(ann, 'list_channels', {
        room: 'pages',
        order: 'rate',
        limit: 2,
        ...(cursor && { cursor }),
      })
      pages.push(page.channels.map(({ name }) => name))
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(pages).toEqual([['b', 'e'], ['d', 'a'], ['c']])
  })

  test('a deleted channel and a client that has left are in no order', async () => {
    const bus = await startMeasured()
    const [ann, bob] = await Promise.all([bus.as('ann'), bus.as('bob')])
    await bob.command('create_channel', { channel: 'gone:a' })
    await send(bob, 'gone:a', 10)
    bus.sample()
    await bob.command('delete_channel', { channel: 'gone:a' })
    await bob.close()
    await eventually(async () => expect((await run(ann, 'status')).totals.clients).toBe(1))
    expect((await run(ann, 'list_clients', { order: 'rate' })).clients.map((one) => one.client_id)).toEqual(['ann'])
    const { channels } = await run(ann, 'list_channels', { order: 'rate' })
    expect(channels.map(({ room }) => room)).not.toContain('gone')
  })

  test('a reader that stops is behind since then, first by its queue, and its bytes are in the series', async () => {
    const bus = await startMeasured({
      socketSendBytes: 32 * 1024,
      sendBufferTotal: 16 * 1024 * 1024,
      pingIntervalMs: 86_400_000,
      pingTimeoutMs: 2 * 86_400_000,
    })
    const raw = await openRaw(`${bus.busUrl}?client_id=stopped&join=talk:a`)
    await raw.nextJson()
    const [ann, bob] = await Promise.all([bus.as('ann'), bus.as('bob', 'talk:a')])
    raw.pause()
    const isBehind = () => bus.metric('arqonbus_connections_catching_up')
    while ((await isBehind()) === 0) {
      for (let i = 0; i < 10; i++) ann.send({ room: 'talk', channel: 'a', payload: { text: 'x'.repeat(8 * 1024) } })
      await ann.command('ping')
      bus.everySecond()
    }
    const since = new Date(bus.clock.now()).toISOString()
    const { attention } = await bus.status(bob)
    expect(attention).toContainEqual({ code: 'slow_consumers', since: expect.any(String), count: 1 })
    const { clients } = await run(bob, 'list_clients', { order: 'queue' })
    expect(clients[0]).toMatchObject({ client_id: 'stopped', behind: true, behind_since: since })
    expect(clients[0]!.queue_bytes).toBeGreaterThan(64 * 1024)
    expect(clients.length).toBe(3)
    for (const one of clients.slice(1)) expect(one).not.toHaveProperty('behind_since')
    bus.everySecond()
    bus.sample()
    expect(await bus.latest('waiting_bytes')).toBeGreaterThanOrEqual(clients[0]!.queue_bytes)

    raw.resume()
    await eventually(async () => {
      bus.everySecond()
      const listed = (await run(bob, 'list_clients')).clients.find((one) => one.client_id === 'stopped')
      expect(listed).toMatchObject({ behind: false })
      expect(listed).not.toHaveProperty('behind_since')
    })
    raw.destroy()
  })

  test('the address of a client is for admins only', async () => {
    const bus = await startMeasured()
    const [ann, admin] = await Promise.all([
      bus.as('ann'),
      bus.connect({ query: { client_id: 'admin' }, headers: { authorization: `Bearer ${adminKey}` } }),
    ])
    const addresses = async (client: TestClient, parameters: object = {}) =>
      (await run(client, 'list_clients', parameters)).clients.map(({ address }) => address)
    expect(await addresses(ann)).toEqual([undefined, undefined])
    expect(await addresses(admin)).toEqual(['127.0.0.1', '127.0.0.1'])
    expect(await addresses(ann, { admin_key: adminKey })).toEqual(['127.0.0.1', '127.0.0.1'])
    expect((await bus.call('/clients')).body.clients[0]).not.toHaveProperty('address')
    const headers = { authorization: `Bearer ${adminKey}` }
    expect((await bus.call('/clients', { headers })).body.clients[0]).toMatchObject({ address: '127.0.0.1' })
  })
})

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
