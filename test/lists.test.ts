/** Lists: visibility, pages, and rate limits (docs/protocol.md#commands). */
import { describe, expect, test } from 'bun:test'
import { type CommandName, type CommandResult, commands } from '@arqonbus/protocol'
import { refusal, startBus, type TestClient, testClock, textOf } from '@arqonbus/testing'
import { commandNames, refused, run } from './support/ask.ts'

const adminKey = 'correct-horse-battery-staple'
const clock = testClock()
const bus = await startBus({ adminKey, rateLimit: null })
const [user, owner, admin] = await Promise.all([
  bus.as('user'),
  bus.as('owner'),
  bus.connect({ query: { client_id: 'admin' }, headers: { authorization: `Bearer ${adminKey}` } }),
])

describe('visibility', () => {
  test('private channels of other clients appear in no list, status or subscription', async () => {
    await run(owner, 'create_channel', {
      channel: 'hidden:treasure',
      type: 'private',
      metadata: { members: ['member'] },
    })
    await run(owner, 'create_channel', { channel: 'hidden:door' })
    await run(owner, 'join_channel', { channel: 'hidden:treasure' })
    const member = await bus.as('member')
    const visible = async (client: TestClient) => {
      const { channels } = await run(client, 'list_channels', { room: 'hidden' })
      const { rooms, clients } = await run(client, 'status')
      const [listed] = (await run(client, 'list_rooms', { room: 'hidden' })).rooms
      expect(listed).toEqual(rooms.find(({ name }) => name === 'hidden')!)
      const subscriptions = clients!.find(({ client_id: id }) => id === 'owner')!.subscriptions
      const room = rooms.find(({ name }) => name === 'hidden')!
      return [channels.map(({ name }) => name), room.channels, subscriptions.includes('hidden:treasure')]
    }
    const all = [['treasure', 'door'], ['treasure', 'door'], true]
    for (const client of [owner, member, admin]) expect(await visible(client)).toEqual(all)
    expect(await visible(user)).toEqual([['door'], ['door'], false])
  })
})

describe('pages of lists', async () => {
  const [paged, heavy] = await Promise.all([startBus({ rateLimit: null }), startBus({ rateLimit: null })])
  const client = await paged.connect()
  const makers = await Promise.all(Array.from({ length: 12 }, (_, i) => paged.as(`client-${i}`)))

  /** Reads all pages of a list. */
  async function pagesOf(
    name: 'list_rooms' | 'list_channels' | 'list_clients',
    parameters: { limit?: number; room?: string; cursor?: string },
    asker = client,
  ) {
    const pages: string[][] = []
    let { cursor } = parameters
    do {
      const result = await run(asker, name, { ...parameters, ...(cursor && { cursor }) })
      if ('rooms' in result) pages.push(result.rooms.map((one) => one.name))
      else if ('channels' in result) pages.push(result.channels.map((one) => one.name))
      else pages.push(result.clients.map((one) => one.client_id))
      cursor = result.cursor
    } while (cursor !== undefined)
    return pages
  }

  test('list_channels returns each channel once, `limit` per page, with a cursor on every page but the last', async () => {
    const all = Array.from({ length: 7 }, (_, i) => `c${i}`)
    for (const name of all) await client.command('create_channel', { channel: `pages:${name}` })
    const pages = await pagesOf('list_channels', { room: 'pages', limit: 3 })
    expect(pages.map((page) => page.length)).toEqual([3, 3, 1])
    expect(pages.flat()).toEqual(all)
    expect(await pagesOf('list_channels', { room: 'pages', limit: 7 })).toEqual([all])
    expect(await pagesOf('list_channels', { room: 'pages' })).toEqual([all])
  })

  test('list_rooms returns each room once with the whole entity, `limit` per page, and one room by its name', async () => {
    const other = await startBus({ adminKey, rateLimit: null }, { clock })
    const ada = await other.as('ada')
    await ada.command('create_channel', { channel: 'room-0:a', room_config: { colour: 'blue' } })
    for (let i = 1; i < 5; i++) await ada.command('join_channel', { channel: `room-${i}:a` })
    await ada.command('join_channel', { channel: 'room-1:b' })
    await ada.command('pause_room', { room: 'room-1', admin_key: adminKey })
    const all = ['arqonbus', 'integriguard', 'room-0', 'room-1', 'room-2', 'room-3', 'room-4']
    const pages = await pagesOf('list_rooms', { limit: 3 }, ada)
    expect(pages).toEqual([all.slice(0, 3), all.slice(3, 6), all.slice(6)])
    expect(await pagesOf('list_rooms', {}, ada)).toEqual([all])
    const created_at = new Date(clock.now()).toISOString()
    const made = { created_at, created_by: 'ada' }
    const { rooms } = await run(ada, 'list_rooms', {
      limit: 2,
      cursor: (await run(ada, 'list_rooms', { limit: 2 })).cursor,
    })
    expect(rooms).toEqual([
      {
        name: 'room-0',
        type: 'user',
        state: 'active',
        channels: ['a'],
        channel_count: 1,
        ...made,
        config: { colour: 'blue' },
        participant_count: 0,
      },
      {
        name: 'room-1',
        type: 'dynamic',
        state: 'paused',
        channels: ['a', 'b'],
        channel_count: 2,
        ...made,
        participant_count: 1,
      },
    ])
    expect(await run(ada, 'list_rooms', { room: 'room-1' })).toEqual({ rooms: [rooms[1]!] })
    expect(await refused(ada, 'list_rooms', { room: 'room-9' })).toMatchObject({ code: 'room_not_found' })
  })

  test('rooms created or deleted between two pages do not move other rooms to another page', async () => {
    const other = await startBus({ rateLimit: null })
    const ada = await other.as('ada')
    for (const name of ['a', 'b', 'c']) await ada.command('create_channel', { channel: `${name}:x` })
    const first = await run(ada, 'list_rooms', { limit: 3 })
    await ada.command('delete_channel', { channel: 'a:x' })
    await ada.command('delete_room', { room: 'a' })
    await ada.command('create_channel', { channel: 'd:x' })
    const second = await run(ada, 'list_rooms', { limit: 3, cursor: first.cursor })
    expect([first, second].map(({ rooms }) => rooms.map(({ name }) => name))).toEqual([
      ['arqonbus', 'integriguard', 'a'],
      ['b', 'c', 'd'],
    ])
  })

  test('a room with many channels names the first, counts all, and makes its page shorter', async () => {
    const other = await startBus({ rateLimit: null, apiRate: null })
    const ada = await other.as('ada')
    for (const room of ['r1', 'r2', 'r3', 'r4', 'r5', 'r6']) {
      for (let i = 0; i < 11; i++) {
        const channels = Array.from({ length: 100 }, (_, n) => ({ channel: `${room}:c${100 * i + n}` }))
        await ada.command('join_channel', { channels })
        for (const { channel } of channels)
          ada.send({ type: 'command', payload: { name: 'leave_channel', parameters: { channel } } })
        await ada.everything()
      }
    }
    const { rooms } = await run(ada, 'list_rooms', { room: 'r1' })
    expect([rooms[0]!.channels.length, rooms[0]!.channel_count]).toEqual([1000, 1100])
    const pages = await pagesOf('list_rooms', { limit: 1000 }, ada)
    expect(pages.length).toBeGreaterThan(1)
    expect(pages.flat()).toEqual(['arqonbus', 'integriguard', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6'])
    const channels = await pagesOf('list_channels', { room: 'r1', limit: 500 }, ada)
    expect(channels.map((page) => page.length)).toEqual([500, 500, 100])
  })

  test('channels created or deleted between two pages do not move other channels to another page', async () => {
    for (const name of ['a', 'b', 'c', 'd']) await client.command('create_channel', { channel: `moving:${name}` })
    const first = await run(client, 'list_channels', { room: 'moving', limit: 2 })
    await client.command('delete_channel', { channel: 'moving:a' })
    await client.command('create_channel', { channel: 'moving:e' })
    const second = await run(client, 'list_channels', { room: 'moving', limit: 5, cursor: first.cursor })
    expect([first, second].map(({ channels }) => channels.map(({ name }) => name))).toEqual([
      ['a', 'b'],
      ['c', 'd', 'e'],
    ])
  })

  test('list_clients returns each client once, `limit` per page', async () => {
    const pages = await pagesOf('list_clients', { limit: 5 })
    expect(pages.map((page) => page.length)).toEqual([5, 5, 3])
    expect(pages.flat().toSorted()).toEqual([client.id, ...makers.map(({ id }) => id)].toSorted())
  })

  test('a page of a list ends at the longest frame', async () => {
    const metadata = { text: 'é'.repeat(8000) }
    for (let i = 0; i < 40; i++) await client.command('create_channel', { channel: `large:c${i}`, metadata })
    const id = client.send({
      type: 'command',
      payload: { name: 'list_channels', parameters: { room: 'large', limit: 1000 } },
    })
    const frame = await client.next((one) => one.payload.request_id === id)
    expect(Buffer.byteLength(textOf(frame))).toBeLessThanOrEqual(client.welcome.limits.max_frame_bytes)
    const pages = await pagesOf('list_channels', { room: 'large', limit: 1000 })
    expect(pages.length).toBeGreaterThan(2)
    expect(pages.flat()).toEqual(Array.from({ length: 40 }, (_, i) => `c${i}`))
  })

  test('status lists the first 100 rooms, or as many as one frame holds, and says where list_rooms goes on', async () => {
    const config = { text: 'x'.repeat(16_000) }
    const before = (await run(client, 'status')).totals.rooms
    for (let i = 0; i < 110; i++) await client.command('create_channel', { channel: `room-${i}:a` })
    const { rooms, rooms_cursor, clients, clients_cursor, totals } = await run(client, 'status')
    expect([rooms.length, rooms[0]!.name, totals.rooms]).toEqual([100, 'arqonbus', before + 110])
    const rest = await run(client, 'list_rooms', { cursor: rooms_cursor })
    expect([rest.rooms.length, rest.rooms.at(-1)!.name, rest.cursor]).toEqual([before + 10, 'room-109', undefined])
    expect([clients!.length, clients_cursor]).toEqual([totals.clients, undefined])

    const other = await heavy.connect()
    for (let i = 0; i < 30; i++) await other.command('create_channel', { channel: `room-${i}:a`, room_config: config })
    const id = other.send({ type: 'command', payload: { name: 'status' } })
    const frame = await other.next((one) => one.payload.request_id === id)
    expect(Buffer.byteLength(textOf(frame))).toBeLessThanOrEqual(other.welcome.limits.max_frame_bytes)
    const result = frame.payload.result as CommandResult<'status'>
    expect(result.totals.rooms).toBe(32)
    expect(result.rooms.length).toBeWithin(5, 20)
  })

  test('an invalid cursor is refused', async () => {
    for (const cursor of ['!', '', 'zzzzzzzzzzzz', '-1']) {
      expect(await refused(client, 'list_channels', { cursor })).toMatchObject({
        code: 'invalid_parameters',
        details: { path: '/parameters/cursor' },
      })
    }
  })
})

describe('rates', async () => {
  const limited = await startBus(
    { commandRate: { perSecond: 10, burst: 3 }, presenceRate: { perSecond: 10, burst: 3 } },
    { clock },
  )
  const costly = {
    status: {},
    list_commands: {},
    list_rooms: {},
    list_channels: {},
    list_clients: {},
    history: { channel: 'rate:a' },
    presence: { channel: 'rate:a' },
    set_presence: { status: { state: 'busy' } },
    create_channel: {},
  }

  test('only the costly commands are declared as rate limited', () => {
    // A token has tests of its own, in `test/auth/`.
    const names = [...Object.keys(costly), 'authenticate'] as CommandName[]
    expect(commandNames.filter((name) => commands[name].rate_limited).toSorted()).toEqual(names.toSorted())
  })

  test('each costly command has a rate limit for each client, and a refusal says when to retry', async () => {
    const [eager, other] = await Promise.all([limited.as('eager', 'rate:a'), limited.as('other')])
    for (const [name, parameters] of Object.entries(costly)) {
      const call = (client: TestClient, i: number) =>
        client.command(
          name as CommandName,
          (name === 'create_channel' ? { channel: `rate:${client.id}-${i}` } : parameters) as never,
        )
      for (let i = 0; i < 3; i++) await call(eager, i)
      expect(await refusal(call(eager, 3))).toMatchObject({
        code: 'rate_limited',
        status: 429,
        retry_after_ms: 100,
        details: { command: name },
      })
      await call(other, 3)
      clock.advance(50)
      expect(await refusal(call(eager, 4))).toMatchObject({ code: 'rate_limited', retry_after_ms: 50 })
      clock.advance(50)
      await call(eager, 5)
      expect(await refusal(call(eager, 6))).toMatchObject({ code: 'rate_limited' })
    }
  })

  test('a rate limit bucket refills up to its burst and no further', async () => {
    const client = await limited.as('patient')
    await client.command('status')
    clock.advance(3_600_000)
    for (let i = 0; i < 3; i++) await client.command('status')
    expect(await refusal(client.command('status'))).toMatchObject({ code: 'rate_limited' })
  })

  test('commands that are not costly have no rate limit', async () => {
    const client = await limited.as('steady')
    for (let i = 0; i < 20; i++) {
      await client.command('ping')
      await client.command('join_channel', { channel: 'rate:a' })
      await client.command('channel_info', { channel: 'rate:a' })
      await client.command('update_profile', { screen_name: `${i}` })
      await client.command('leave_channel', { channel: 'rate:a' })
    }
  })

  test('RATE_LIMIT=off switches off the rate limits of commands too', async () => {
    for (let i = 0; i < 300; i++) await user.command('list_channels', { room: 'arqonbus' })
  })
})
