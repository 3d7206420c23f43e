/** Rooms and channels: their types and their states (docs/protocol.md#rooms-and-channels, data model §3 and §4). */
import { describe, expect, test } from 'bun:test'
import { refusal, startBus, testClock } from '@arqonbus/testing'
import { channelOf, channelsOf, roomOf } from './support/ask.ts'

const adminKey = 'correct-horse-battery-staple'
const clock = testClock()
const isoNow = () => new Date(clock.now()).toISOString()
const bus = await startBus({ adminKey, rateLimit: null }, { clock })
const [user, owner, admin] = await Promise.all([
  bus.as('user'),
  bus.as('owner'),
  bus.connect({ query: { client_id: 'admin' }, headers: { authorization: `Bearer ${adminKey}` } }),
])

describe('joins of several addresses', () => {
  test('an address that appears twice in one join is refused the second time, and the others are joined', async () => {
    const client = await bus.as('twice')
    const { results } = (await client.command('join_channel', {
      channels: [
        { channel: 'twice:a' },
        { channel: 'twice:*' },
        { room: 'twice', channel: 'a' },
        { channel: 'twice:*' },
      ],
    })) as { results: { channel: string; error?: { code: string; details: object } }[] }
    expect(results.map(({ channel, error }) => [channel, error?.code, error?.details])).toEqual([
      ['twice:a', undefined, undefined],
      ['twice:*', undefined, undefined],
      ['twice:a', 'invalid_parameters', { path: '/parameters/channels/2', expected: expect.any(String) }],
      ['twice:*', 'invalid_parameters', { path: '/parameters/channels/3', expected: expect.any(String) }],
    ])
  })

  test('an address that the handshake names twice is joined once, and that is no failure', async () => {
    const client = await bus.as('twice-at-once', 'twice:b', 'twice:*', 'twice:b')
    expect(client.welcome).toMatchObject({ subscriptions: ['twice:*', 'twice:b'], failed_joins: [] })
  })

  test('one join command lists at most 1,000 heads: further rooms list none and are not recoverable', async () => {
    const client = await bus.as('heads')
    for (const room of ['heads-a', 'heads-b', 'heads-c'])
      for (let i = 0; i < 400; i++) client.send({ room, channel: `c${i}` })
    const { results } = (await client.command('join_channel', {
      channels: ['heads-a', 'heads-b', 'heads-c', 'heads-d'].map((room) => ({ room, channel: '*' })),
    })) as { results: { channels: unknown[]; recoverable: boolean }[] }
    expect(results.map(({ channels, recoverable }) => [channels.length, recoverable])).toEqual([
      [400, true],
      [400, true],
      [0, false],
      [0, true],
    ])
    client.send({ room: 'heads-c', channel: 'c7' })
    expect((await client.messages()).map(({ room, channel }) => `${room}:${channel}`)).toEqual(['heads-c:c7'])
  })

  test('a room-wide subscription covers over 1,000 private channels, including new ones, until it is left', async () => {
    const [owner, member] = await Promise.all([bus.as('secretive'), bus.as('trusted')])
    const create = (i: number) => ({
      type: 'command' as const,
      payload: {
        name: 'create_channel',
        parameters: {
          channel: `secrets:c${i}`,
          type: 'private',
          metadata: { members: i % 2 === 0 ? ['trusted'] : [] },
        },
      },
    })
    for (let i = 0; i < 2500; i++) owner.send(create(i))
    await owner.everything()
    const { recoverable, channels } = (await member.command('join_channel', { channel: 'secrets:*' })) as {
      recoverable: boolean
      channels: unknown[]
    }
    expect([recoverable, channels.length]).toEqual([false, 1000])
    for (let i = 2500; i < 2504; i++) owner.send(create(i))
    const heard = async () => {
      for (const i of [0, 1, 1998, 2498, 2499, 2500, 2502, 2503]) owner.send({ room: 'secrets', channel: `c${i}` })
      await owner.everything()
      return (await member.messages()).map(({ channel }) => channel)
    }
    expect(await heard()).toEqual(['c0', 'c1998', 'c2498', 'c2500', 'c2502'])
    await member.command('leave_channel', { channel: 'secrets:*' })
    expect(await heard()).toEqual([])
  })
})

describe('types of rooms', () => {
  test('a room is system if built in, user if create_channel made it, dynamic if a join or a publish made it', async () => {
    await owner.command('create_channel', { channel: 'by-command:a' })
    await owner.command('join_channel', { channel: 'by-join:a' })
    await owner.command('join_channel', { channel: 'by-wide-join:*' })
    await owner.publish({ room: 'by-publish', channel: 'a' })
    await owner.publish({ room: 'by-broadcast', channel: '*' })
    const types = await Promise.all(
      ['arqonbus', 'integriguard', 'by-command', 'by-join', 'by-wide-join', 'by-publish', 'by-broadcast'].map(
        async (name) => (await roomOf(user, name))!.type,
      ),
    )
    expect(types).toEqual(['system', 'system', 'user', 'dynamic', 'dynamic', 'dynamic', 'dynamic'])
  })

  test('a room shows when and by which client it was created, and counts each client in it once', async () => {
    await owner.command('create_channel', { channel: 'counted:a' })
    const made = isoNow()
    clock.advance(1000)
    const [one, two] = await Promise.all([
      bus.as('one', 'counted:a', 'counted:b', 'counted:*'),
      bus.as('two', 'counted:*'),
    ])
    expect(await roomOf(user, 'counted')).toEqual({
      name: 'counted',
      type: 'user',
      state: 'active',
      channels: ['a', 'b'],
      channel_count: 2,
      created_at: made,
      created_by: 'owner',
      participant_count: 2,
    })
    await one.command('leave_channel', { channel: 'counted:*' })
    expect(await roomOf(user, 'counted')).toMatchObject({ participant_count: 2 })
    await one.command('leave_channel', { channel: 'counted:a' })
    await one.command('leave_channel', { channel: 'counted:b' })
    expect(await roomOf(user, 'counted')).toMatchObject({ participant_count: 1 })
    await two.command('leave_channel', { channel: 'counted:*' })
    expect(await roomOf(user, 'counted')).toMatchObject({ participant_count: 0 })
  })

  test('no client, not even an admin, can pause, delete or extend built-in rooms', async () => {
    for (const room of ['arqonbus', 'integriguard']) {
      for (const name of ['pause_room', 'resume_room', 'delete_room'] as const) {
        expect(await refusal(admin.command(name, { room }))).toMatchObject({ code: 'room_hardcoded' })
      }
      expect(await refusal(admin.command('create_channel', { channel: `${room}:new` }))).toMatchObject({
        code: 'system_room',
      })
    }
    for (const channel of [
      'arqonbus:control',
      'arqonbus:inbox',
      'integriguard:telemetry-stream',
      'integriguard:dashboard-events',
    ]) {
      expect(await refusal(admin.command('delete_channel', { channel }))).toMatchObject({ code: 'channel_hardcoded' })
      expect(await channelOf(user, channel)).toMatchObject({ hardcoded: true, auto_created: false })
    }
    expect(await refusal(admin.command('join_channel', { channel: 'integriguard:new' }))).toMatchObject({
      code: 'channel_not_found',
    })
  })

  test('the channel name pm is reserved for private messages in every room', async () => {
    expect(await refusal(admin.command('create_channel', { channel: 'any:pm' }))).toMatchObject({
      code: 'system_channel',
    })
    expect(await refusal(admin.command('join_channel', { channel: 'any:pm' }))).toMatchObject({
      code: 'system_channel',
    })
    expect(await channelOf(user, 'arqonbus:inbox')).toMatchObject({ type: 'pm', state: 'private' })
  })

  test('every room has a channel pm, which is active until a private message is sent by it and private then', async () => {
    await owner.command('create_channel', { channel: 'discreet:a' })
    const { created_at: created } = (await roomOf(user, 'discreet'))!
    const pm = {
      name: 'pm',
      room: 'discreet',
      type: 'pm' as const,
      created_at: created,
      hardcoded: true,
      auto_created: false,
      participants: [],
      participant_count: 0,
      room_participants: [],
    }
    const whisper = (to: string) =>
      owner.publish({ type: 'private', room: 'discreet', channel: 'pm', metadata: { to } })
    expect(await user.command('channel_info', { channel: 'discreet:pm' })).toEqual({
      channel: { ...pm, state: 'active' },
    })
    expect((await refusal(whisper('nobody-here'))).code).toBe('client_not_found')
    expect(await channelOf(user, 'discreet:pm')).toMatchObject({ state: 'active' })
    await whisper('user')
    expect(await channelOf(user, 'discreet:pm')).toEqual({ ...pm, state: 'private' })
    await user.messages()
    // It is no channel that a client could join, so lists omit it.
    expect(await channelsOf(user, 'discreet')).toEqual(['a'])
    expect(await refusal(user.command('channel_info', { channel: 'no-room:pm' }))).toMatchObject({
      code: 'room_not_found',
    })
  })
})

describe('states of rooms', () => {
  test('a paused room refuses messages of every kind and still accepts commands', async () => {
    const member = await bus.as('member', 'still:a', 'still:*')
    await member.publish({ room: 'still', channel: 'a' })
    await admin.command('pause_room', { room: 'still' })
    expect(await roomOf(user, 'still')).toMatchObject({ state: 'paused' })
    await member.messages()

    const messages = [
      { channel: 'a' },
      { channel: 'brand-new' },
      { channel: '*' },
      { type: 'private', channel: 'pm', metadata: { to: 'user' } },
    ] as const
    for (const message of messages)
      expect(await refusal(member.publish({ room: 'still', ...message }))).toMatchObject({ code: 'room_paused' })
    expect(await member.messages()).toEqual([])
    expect(await channelsOf(user, 'still')).toEqual(['a'])

    await user.command('join_channel', { channel: 'still:a' })
    expect((await user.command('history', { channel: 'still:a' })).messages).toHaveLength(1)
    await user.command('create_channel', { channel: 'still:b' })
    await user.command('channel_info', { channel: 'still:b' })
    await user.command('delete_channel', { channel: 'still:b' })
    await user.command('leave_channel', { channel: 'still:a' })
    await admin.command('pause_room', { room: 'still' })

    await admin.command('resume_room', { room: 'still' })
    await admin.command('resume_room', { room: 'still' })
    expect(await roomOf(user, 'still')).toMatchObject({ state: 'active' })
    await member.publish({ room: 'still', channel: 'a', payload: { n: 2 } })
    expect((await member.messages()).map(({ payload }) => payload)).toEqual([{ n: 2 }])
  })

  test('a room can be deleted in either state, but only once it has no channels', async () => {
    for (const room of ['doomed', 'doomed-paused']) {
      await owner.command('create_channel', { channel: `${room}:a` })
      if (room === 'doomed-paused') await admin.command('pause_room', { room })
      expect(await refusal(admin.command('delete_room', { room }))).toMatchObject({
        code: 'room_not_empty',
        details: { channels: 1 },
      })
      await owner.command('delete_channel', { channel: `${room}:a` })
      expect(await roomOf(user, room)).toMatchObject({ channels: [] })
      await admin.command('delete_room', { room })
      expect(await roomOf(user, room)).toBeUndefined()
      expect(await refusal(admin.command('delete_room', { room }))).toMatchObject({ code: 'room_not_found' })
    }
  })

  test('the creator of a room can delete it once it has no channels, and no other client can', async () => {
    for (const create of [
      () => owner.command('create_channel', { channel: 'owned:a' }),
      () => owner.publish({ room: 'owned', channel: 'a' }),
    ]) {
      await create()
      const wide = await bus.connect({ query: { join: 'owned:*' } })
      expect(await refusal(user.command('delete_room', { room: 'owned' }))).toMatchObject({ code: 'forbidden' })
      expect(await refusal(owner.command('delete_room', { room: 'owned' }))).toMatchObject({ code: 'room_not_empty' })
      await owner.command('delete_channel', { channel: 'owned:a' })
      expect(await refusal(user.command('delete_room', { room: 'owned' }))).toMatchObject({ code: 'forbidden' })
      expect(await owner.command('delete_room', { room: 'owned' })).toEqual({ room: 'owned', deleted: true })
      expect(await roomOf(user, 'owned')).toBeUndefined()
      const notices = (await wide.everything()).map(({ payload }) => payload.event)
      expect(notices.at(-1)).toBe('subscription_ended')
      await wide.close()
    }
  })

  test('a paused room outlasts its last channel, and only an admin can delete it', async () => {
    for (const [room, create] of [
      ['arrested', () => owner.command('create_channel', { channel: 'arrested:a' })],
      ['arrested-too', () => owner.command('join_channel', { channel: 'arrested-too:a' })],
    ] as const) {
      await create()
      await admin.command('pause_room', { room })
      await owner.command('leave_channel', { channel: `${room}:a` })
      await owner.command('delete_channel', { channel: `${room}:a` })
      expect(await refusal(owner.command('delete_room', { room }))).toMatchObject({
        code: 'room_paused',
        details: { requires: 'admin' },
      })
      clock.advance(60_000)
      expect(await refusal(owner.publish({ room, channel: 'a' }))).toMatchObject({ code: 'room_paused' })
      await admin.command('delete_room', { room })
      expect(await roomOf(user, room)).toBeUndefined()
    }
  })

  test('room-wide subscriptions end with their room and do not continue in a new room of the same name', async () => {
    const wide = await bus.as('wide', 'phoenix:*')
    await wide.publish({ room: 'phoenix', channel: '*', payload: { n: 1 } })
    await admin.command('pause_room', { room: 'phoenix' })
    await admin.command('delete_room', { room: 'phoenix' })
    await owner.publish({ room: 'phoenix', channel: 'ashes', payload: { n: 2 } })
    await owner.publish({ room: 'phoenix', channel: '*', payload: { n: 3 } })
    expect((await wide.messages()).map(({ payload }) => payload)).toEqual([{ n: 1 }])
    const { client } = await wide.command('update_profile')
    expect(client.subscriptions).toEqual([])
    const history = await user.command('history', { channel: 'phoenix:*' })
    expect(history.messages.map(({ payload }) => payload)).toEqual([{ n: 3 }])
  })
})

describe('states of channels', () => {
  test('a channel is active while it has participants, empty otherwise, and can be deleted only when empty', async () => {
    const { channel } = await owner.command('create_channel', { channel: 'life:a' })
    expect(channel.state).toBe('empty')
    const [guest, wide] = await Promise.all([bus.as('guest', 'life:a'), bus.as('wide-guest', 'life:*')])
    expect(await channelOf(user, 'life:a')).toMatchObject({
      state: 'active',
      participants: ['guest'],
      room_participants: ['wide-guest'],
    })
    expect(await refusal(owner.command('delete_channel', { channel: 'life:a' }))).toMatchObject({
      code: 'channel_not_empty',
      details: { participant_count: 1 },
    })
    await guest.command('leave_channel', { channel: 'life:a' })
    expect(await channelOf(user, 'life:a')).toMatchObject({ state: 'empty', participants: [] })
    // Room-wide subscribers are no participants of the channel.
    await owner.command('delete_channel', { channel: 'life:a' })
    expect(await channelsOf(user, 'life')).toEqual([])
    await wide.command('leave_channel', { channel: 'life:*' })
  })

  test('only its creator and admins can delete a channel', async () => {
    await owner.command('create_channel', { channel: 'mine:a' })
    await owner.command('create_channel', { channel: 'mine:b' })
    expect(await refusal(user.command('delete_channel', { channel: 'mine:a' }))).toMatchObject({ code: 'forbidden' })
    await owner.command('delete_channel', { channel: 'mine:a' })
    await admin.command('delete_channel', { channel: 'mine:b' })
    expect(await roomOf(user, 'mine')).toMatchObject({ type: 'user', channels: [] })
  })

  test('the history of a channel is deleted with it, and a new channel of the same name starts at its own origin', async () => {
    await owner.command('create_channel', { channel: 'again:a' })
    await owner.publish({ room: 'again', channel: 'a' })
    await owner.command('delete_channel', { channel: 'again:a' })
    clock.advance(1000)
    await owner.command('create_channel', { channel: 'again:a' })
    const origin = `${clock.now()}-0`
    expect(await user.command('history', { channel: 'again:a' })).toEqual({
      messages: [],
      first: origin,
      last: origin,
      has_more: false,
    })
    expect((await owner.publish({ room: 'again', channel: 'a' })).position).toBe(`${clock.now()}-1`)
  })

  test('a dynamic room is removed with its last channel, and a user room remains for a while', async () => {
    await owner.publish({ room: 'fleeting', channel: 'a' })
    await owner.command('delete_channel', { channel: 'fleeting:a' })
    expect(await roomOf(user, 'fleeting')).toBeUndefined()
    await owner.command('create_channel', { channel: 'lasting:a' })
    await owner.command('delete_channel', { channel: 'lasting:a' })
    expect(await roomOf(user, 'lasting')).toMatchObject({ type: 'user' })
  })

  test('only its creator, its members and admins can join, write, read and inspect a private channel', async () => {
    await owner.command('create_channel', { channel: 'closed:a', type: 'private', metadata: { members: ['invited'] } })
    const invited = await bus.as('invited')
    for (const client of [owner, invited, admin]) {
      await client.command('join_channel', { channel: 'closed:a' })
      await client.publish({ room: 'closed', channel: 'a' })
      await client.command('history', { channel: 'closed:a' })
      expect(await channelOf(client, 'closed:a')).toMatchObject({
        type: 'private',
        state: 'active',
        metadata: { members: ['invited'] },
      })
    }
    expect(await refusal(user.command('join_channel', { channel: 'closed:a' }))).toMatchObject({ code: 'forbidden' })
    expect(await refusal(user.publish({ room: 'closed', channel: 'a' }))).toMatchObject({ code: 'forbidden' })
    expect(await refusal(user.command('history', { channel: 'closed:a' }))).toMatchObject({ code: 'forbidden' })
    expect(await refusal(user.command('channel_info', { channel: 'closed:a' }))).toMatchObject({ code: 'forbidden' })
    expect(await refusal(user.command('list_clients', { channel: 'closed:a' }))).toMatchObject({ code: 'forbidden' })
    expect(await refusal(user.command('delete_channel', { channel: 'closed:a' }))).toMatchObject({ code: 'forbidden' })
  })
})
