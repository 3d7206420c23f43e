/** Every limit: its exact value, the refusal beyond it, and its counter in `/metrics` (docs/protocol.md#limits). */
import { describe, expect, test } from 'bun:test'
import type { Config } from '@arqonbus/server'
import { openRaw, type Publish, refusal, startBus, type TestBus, type TestClient, testClock } from '@arqonbus/testing'

const clock = testClock()
const start = (config: Partial<Config>) => startBus(config, { clock })

/** Runs an attempt that exceeds a limit; the counter of that limit rises by one. */
async function counted<T>(bus: TestBus, limit: string, attempt: () => Promise<T>): Promise<T> {
  const sample = `arqonbus_limits_hit_total{limit="${limit}"}`
  const before = await bus.metric(sample)
  const outcome = await attempt()
  expect(await bus.metric(sample)).toBe(before + 1)
  return outcome
}
const join = (client: TestClient, channel: string) => client.command('join_channel', { channel })
const leave = (client: TestClient, channel: string) => client.command('leave_channel', { channel })
const publish = (client: TestClient, address: string, fields: Publish = {}) => {
  const [room, channel] = address.split(':') as [string, string]
  return client.publish({ room, channel, ...fields })
}

describe('limits of number', async () => {
  const [connections, rooms, channels, participants, roomParticipants, subscriptions] = await Promise.all([
    start({ maxConnections: 2 }),
    // The bus has two built-in rooms and four built-in channels.
    start({ maxRooms: 4 }),
    start({ maxChannels: 6 }),
    start({ maxParticipants: 2, adminKey: 'key' }),
    start({ maxRoomParticipants: 2 }),
    start({ maxSubscriptions: 3 }),
  ])

  test('a connection over MAX_CONNECTIONS is refused with 503', async () => {
    await Promise.all([connections.connect(), connections.connect()])
    const { status } = await counted(
      connections,
      'connections',
      async () => await (await openRaw(connections.busUrl)).head(),
    )
    expect(status).toBe(503)
    expect(await connections.metric('arqonbus_connections')).toBe(2)
  })

  test('a room over MAX_ROOMS is refused with too_many_rooms, however it is created, until a room is removed', async () => {
    const client = await rooms.connect()
    await client.command('create_channel', { channel: 'one:a' })
    await publish(client, 'two:a')
    expect(await rooms.metric('arqonbus_rooms')).toBe(4)
    const attempts = [
      () => client.command('create_channel', { channel: 'three:a' }),
      () => join(client, 'three:a'),
      () => join(client, 'three:*'),
      () => publish(client, 'three:a'),
      () => publish(client, 'three:*'),
    ]
    for (const attempt of attempts) {
      expect(await counted(rooms, 'rooms', () => refusal(attempt()))).toMatchObject({
        code: 'too_many_rooms',
        status: 429,
        details: { limit: 4 },
      })
    }
    await publish(client, 'one:b')
    await client.command('delete_channel', { channel: 'two:a' })
    await publish(client, 'three:a')
  })

  test('a channel over MAX_CHANNELS is refused with too_many_channels, and no empty room is left behind', async () => {
    const client = await channels.connect()
    await client.command('create_channel', { channel: 'one:a' })
    await client.command('create_channel', { channel: 'one:b' })
    expect(await channels.metric('arqonbus_channels')).toBe(6)
    const attempts = [
      () => client.command('create_channel', { channel: 'two:a' }),
      () => join(client, 'two:a'),
      () => publish(client, 'two:a'),
    ]
    for (const attempt of attempts) {
      expect(await counted(channels, 'channels', () => refusal(attempt()))).toMatchObject({
        code: 'too_many_channels',
        status: 429,
        details: { limit: 6 },
        retry_after_ms: expect.any(Number),
      })
    }
    const { rooms: left } = await client.command('status')
    expect(left.map(({ name }) => name)).toEqual(['arqonbus', 'integriguard', 'one'])
  })

  test('at MAX_CHANNELS each new channel evicts the longest idle one, even in a burst, and refusals say when to retry', async () => {
    const many = await start({ maxChannels: 3004, rateLimit: null })
    const client = await many.connect()
    const flood = async (room: string) => {
      for (let i = 0; i < 3000; i++) client.send({ room, channel: `c${i}` })
      return client.everything()
    }
    expect(await flood('old')).toEqual([])
    clock.advance(20_000)
    expect(await refusal(publish(client, 'new:c0'))).toMatchObject({
      code: 'too_many_channels',
      retry_after_ms: 40_000,
    })
    clock.advance(40_000)
    expect(await flood('new')).toEqual([])
    expect(await many.metric('arqonbus_channels')).toBe(3004)
    const { rooms: left } = await client.command('status')
    expect(left.map(({ name }) => name)).toEqual(['arqonbus', 'integriguard', 'new'])
  })

  test('MAX_PARTICIPANTS refuses joins with channel_full until one leaves, but not rejoins or room-wide joins', async () => {
    const [one, two, three] = await Promise.all([
      participants.connect(),
      participants.connect(),
      participants.connect(),
    ])
    await Promise.all([join(one, 'full:a'), join(two, 'full:a')])
    expect(await counted(participants, 'participants', () => refusal(join(three, 'full:a')))).toMatchObject({
      code: 'channel_full',
      status: 409,
      details: { channel: 'full:a', limit: 2 },
    })
    await join(one, 'full:a')
    await join(three, 'full:*')
    await leave(two, 'full:a')
    await join(three, 'full:a')
  })

  test('max_participants of a channel overrides MAX_PARTICIPANTS, higher or lower', async () => {
    const [one, two, three] = await Promise.all([
      participants.connect(),
      participants.connect(),
      participants.connect(),
    ])
    await one.command('create_channel', { channel: 'own:small', options: { max_participants: 1 } })
    await one.command('create_channel', { channel: 'own:large', options: { max_participants: 3 } })
    await join(one, 'own:small')
    expect(await counted(participants, 'participants', () => refusal(join(two, 'own:small')))).toMatchObject({
      code: 'channel_full',
      details: { limit: 1 },
    })
    for (const client of [one, two, three]) await join(client, 'own:large')
  })

  test('MAX_ROOM_PARTICIPANTS refuses every kind of join with room_full and counts each client once', async () => {
    const [one, two, three] = await Promise.all([
      roomParticipants.connect(),
      roomParticipants.connect(),
      roomParticipants.connect(),
    ])
    for (const channel of ['hall:a', 'hall:b', 'hall:*']) await join(one, channel)
    await join(two, 'hall:*')
    for (const channel of ['hall:a', 'hall:*']) {
      expect(await counted(roomParticipants, 'room_participants', () => refusal(join(three, channel)))).toMatchObject({
        code: 'room_full',
        status: 409,
        details: { room: 'hall', limit: 2 },
      })
    }
    await join(two, 'hall:c')
    await leave(one, 'hall:a')
    await leave(one, 'hall:b')
    expect(await refusal(join(three, 'hall:a'))).toMatchObject({ code: 'room_full' })
    await leave(one, 'hall:*')
    await join(three, 'hall:a')
  })

  test('MAX_SUBSCRIPTIONS refuses joins of rooms and channels with too_many_subscriptions until one is left', async () => {
    const client = await subscriptions.connect({ query: { join: ['many:a', 'many:*'] } })
    expect(client.welcome.limits.max_subscriptions).toBe(3)
    await join(client, 'many:b')
    for (const channel of ['many:c', 'more:*']) {
      expect(await counted(subscriptions, 'subscriptions', () => refusal(join(client, channel)))).toMatchObject({
        code: 'too_many_subscriptions',
        status: 429,
        details: { limit: 3 },
      })
    }
    await join(client, 'many:a')
    await leave(client, 'many:a')
    await join(client, 'many:c')
    expect(await subscriptions.metric('arqonbus_subscriptions')).toBe(3)
  })
})

describe('limits of size', async () => {
  const [large, deep, described, remembered] = await Promise.all([
    start({ maxMessageBytes: 1000, maxViolations: 100 }),
    start({ maxDepth: 6, maxViolations: 100 }),
    start({ maxMetadataBytes: 64 }),
    start({ dedupBytes: 1 }),
  ])
  const envelope = (from: string, id: string, payload: string, metadata = '{"ack":true}') =>
    `{"version":"1.0","id":"${id}","type":"event","room":"limits","channel":"a","from":"${from}","timestamp":"2026-01-01T00:00:00Z","payload":${payload},"metadata":${metadata}}`

  test('a frame one byte over MAX_MESSAGE_BYTES is refused with message_too_large and without a request_id', async () => {
    const client = await large.as('large')
    expect(client.welcome.limits.max_message_bytes).toBe(1000)
    for (const letter of ['x', 'é', '漢', '🤖']) {
      const bytes = Buffer.byteLength(letter)
      const room = 1000 - Buffer.byteLength(envelope('large', 'arq_1', '{"t":""}'))
      const fill = `${letter.repeat(Math.floor(room / bytes))}${'x'.repeat(room % bytes)}`
      const fits = envelope('large', `arq_${bytes}`, `{"t":"${fill}"}`)
      expect(Buffer.byteLength(fits)).toBe(1000)
      client.raw(fits)
      expect(await client.answer(`arq_${bytes}`)).toMatchObject({ status: 'success' })
      const answer = await counted(large, 'message_bytes', () => {
        client.raw(`${fits} `)
        return client.answer(null)
      })
      expect(answer.error).toMatchObject({ code: 'message_too_large', status: 413, details: { limit_bytes: 1000 } })
    }
  })

  test('a frame one level over MAX_DEPTH, in payload or metadata, is refused with invalid_envelope and no request_id', async () => {
    const client = await deep.as('deep')
    expect(client.welcome.limits.max_depth).toBe(6)
    // The envelope is the first level, the payload the second.
    const nested = (levels: number) => `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`
    client.raw(envelope('deep', 'arq_1', nested(5)))
    expect(await client.answer('arq_1')).toMatchObject({ status: 'success' })
    client.raw(envelope('deep', 'arq_2', '{}', `{"ack":true,"x":${nested(4)}}`))
    expect(await client.answer('arq_2')).toMatchObject({ status: 'success' })
    for (const frame of [
      envelope('deep', 'arq_3', nested(6)),
      envelope('deep', 'arq_4', '{}', `{"ack":true,"x":${nested(5)}}`),
    ]) {
      const answer = await counted(deep, 'depth', () => {
        client.raw(frame)
        return client.answer(null)
      })
      expect(answer.error).toMatchObject({
        code: 'invalid_envelope',
        details: { expected: expect.stringContaining('6 levels') },
      })
    }
    // Brackets in a string are no levels.
    client.raw(envelope('deep', 'arq_5', `{"a":"${'[{'.repeat(100)}"}`))
    expect(await client.answer('arq_5')).toMatchObject({ status: 'success' })
  })

  test('channel metadata or a room_config over MAX_METADATA_BYTES is refused with invalid_parameters', async () => {
    const client = await described.connect()
    const of = (bytes: number) => ({ t: 'é'.repeat((bytes - 8) / 2) })
    await client.command('create_channel', { channel: 'described:a', metadata: of(64), room_config: of(64) })
    for (const field of ['metadata', 'room_config']) {
      expect(await refusal(client.command('create_channel', { channel: 'more:a', [field]: of(66) }))).toMatchObject({
        code: 'invalid_parameters',
        details: { path: `/parameters/${field}` },
      })
    }
  })

  test('with DEDUP_BYTES used up, publishes with `ack` are refused and others accepted', async () => {
    const client = await remembered.connect({ query: { join: 'remembered:a' } })
    expect(await counted(remembered, 'dedup_bytes', () => refusal(publish(client, 'remembered:a')))).toMatchObject({
      code: 'rate_limited',
      details: { limit: 'dedup_bytes' },
    })
    client.send({ room: 'remembered', channel: 'a' })
    expect(await client.messages()).toHaveLength(1)
  })
})

describe('limits of rate', async () => {
  const [slow, commands, off] = await Promise.all([
    start({ rateLimit: { perSecond: 10, burst: 5 } }),
    start({ commandRate: { perSecond: 10, burst: 1 } }),
    start({ rateLimit: null }),
  ])

  test('RATE_LIMIT refuses messages beyond the burst with rate_limited and a retry time, for each client separately', async () => {
    const [client, other] = await Promise.all([slow.connect(), slow.connect()])
    expect(client.welcome.limits).toMatchObject({ messages_per_second: 10, message_burst: 5 })
    for (let i = 0; i < 5; i++) await publish(client, 'rate:a')
    expect(await counted(slow, 'message_rate', () => refusal(publish(client, 'rate:a')))).toMatchObject({
      code: 'rate_limited',
      status: 429,
      retry_after_ms: 100,
    })
    await publish(other, 'rate:a')
    clock.advance(100)
    await publish(client, 'rate:a')
    expect(await refusal(client.command('ping'))).toMatchObject({ code: 'rate_limited' })
    const { messages } = await other.command('history', { channel: 'rate:a' })
    expect(messages).toHaveLength(7)
  })

  test('RATE_LIMIT charges a join of several addresses as much as the same number of messages', async () => {
    const client = await slow.connect()
    const channels = Array.from({ length: 8 }, (_, i) => ({ channel: `several:c${i}` }))
    await client.command('join_channel', { channels })
    // 8 of 5 tokens were taken: the next one is available after 4 were refilled.
    expect(await refusal(client.command('ping'))).toMatchObject({ code: 'rate_limited', retry_after_ms: 400 })
    clock.advance(400)
    await client.command('ping')
  })

  test('COMMAND_RATE charges a search through an inbox for every page that it reads', async () => {
    const [ann, bob] = await Promise.all([commands.as('ann'), commands.as('bob')])
    const payload = { text: 'x'.repeat(200_000) }
    for (let i = 0; i < 4; i++) await ann.publish({ type: 'private', channel: 'pm', metadata: { to: 'bob' }, payload })
    const search = () => bob.command('history', { channel: 'arqonbus:inbox', with: 'nobody', limit: 1 })
    expect(await search()).toMatchObject({ messages: [], has_more: false })
    // A page has one of these messages: four were read, and one was paid for.
    expect(await refusal(search())).toMatchObject({ code: 'rate_limited', retry_after_ms: 400 })
    clock.advance(400)
    await search()
  })

  test('a rate-limited message is not delivered, counts as no violation and leaves the connection open', async () => {
    const [client, listener] = await Promise.all([slow.connect(), slow.connect({ query: { join: 'rate:b' } })])
    const before = await slow.metric('arqonbus_violations_total')
    const ids = Array.from({ length: 15 }, () => client.send({ room: 'rate', channel: 'b' }))
    for (const id of ids.slice(5)) expect((await client.answer(id)).error).toMatchObject({ code: 'rate_limited' })
    expect(await listener.messages()).toHaveLength(5)
    expect(await slow.metric('arqonbus_violations_total')).toBe(before)
    clock.advance(1000)
    await client.command('ping')
  })

  test('a client that keeps sending over its rate limit is closed with 4429', async () => {
    const client = await slow.connect()
    for (let i = 0; i < 100; i++) client.send({ room: 'rate', channel: 'c' })
    expect((await client.closed).code).toBe(4429)
  })

  test('RATE_LIMIT=off removes the rate limit, and the welcome says so', async () => {
    const client = await off.connect()
    expect(client.welcome.limits).toMatchObject({ messages_per_second: null, message_burst: null })
    for (let i = 0; i < 5000; i++) client.send({ room: 'rate', channel: 'a' })
    const { messages } = await client.command('history', { channel: 'rate:a', limit: 1, order: 'desc' })
    expect(messages[0]!.metadata!.position).toEndWith('-5000')
  })

  test('COMMAND_RATE refuses a command over its rate with rate_limited, for each command separately', async () => {
    const client = await commands.connect()
    await client.command('status')
    expect(await counted(commands, 'command_rate', () => refusal(client.command('status')))).toMatchObject({
      code: 'rate_limited',
      retry_after_ms: 100,
      details: { command: 'status' },
    })
    await client.command('list_clients')
  })
})
