/** How channels and their rooms are created on demand, and removed (docs/protocol.md#rooms-and-channels). */
import { describe, expect, test } from 'bun:test'
import { eventually, refusal, startBus, testClock } from '@arqonbus/testing'
import { channelOf, channelsOf, roomOf } from './support/ask.ts'

const adminKey = 'correct-horse-battery-staple'
const asAdmin = { headers: { authorization: `Bearer ${adminKey}` } }
const bus = await startBus()
const [user, owner] = await Promise.all([bus.as('user'), bus.as('owner')])

describe('creation on demand', async () => {
  const [off, adminsOnly] = await Promise.all([
    startBus({ autoCreate: false }),
    startBus({ create: 'admin', adminKey }),
  ])

  test('a join or a publish creates its channel, which names the client that created it', async () => {
    await user.command('join_channel', { channel: 'demand:joined' })
    await owner.publish({ room: 'demand', channel: 'published' })
    expect(await channelOf(user, 'demand:joined')).toMatchObject({
      type: 'general',
      auto_created: true,
      hardcoded: false,
      created_by: 'user',
    })
    expect(await channelOf(user, 'demand:published')).toMatchObject({
      auto_created: true,
      state: 'empty',
      created_by: 'owner',
    })
  })

  test('with creation on demand switched off, only create_channel creates channels', async () => {
    const client = await off.connect()
    const attempts = (room: string) => [
      client.command('join_channel', { channel: `${room}:new` }),
      client.publish({ room, channel: 'new' }),
    ]
    for (const attempt of attempts('nowhere')) expect(await refusal(attempt)).toMatchObject({ code: 'room_not_found' })
    expect(await refusal(client.command('join_channel', { channel: 'nowhere:*' }))).toMatchObject({
      code: 'room_not_found',
    })
    expect(await refusal(client.publish({ room: 'nowhere', channel: '*' }))).toMatchObject({ code: 'room_not_found' })
    await client.command('create_channel', { channel: 'here:old' })
    for (const attempt of attempts('here')) expect(await refusal(attempt)).toMatchObject({ code: 'channel_not_found' })
    await client.command('join_channel', { channel: 'here:old' })
    await client.command('join_channel', { channel: 'here:*' })
    await client.publish({ room: 'here', channel: 'old' })
    await client.publish({ room: 'here', channel: '*' })
    expect(await client.messages()).toHaveLength(2)
  })

  test('with creation reserved to admins, users can use only existing channels', async () => {
    const [client, boss] = await Promise.all([adminsOnly.as('client'), adminsOnly.connect(asAdmin)])
    expect(await refusal(client.command('create_channel', { channel: 'office:a' }))).toMatchObject({
      code: 'forbidden',
    })
    expect(await refusal(client.command('join_channel', { channel: 'office:a' }))).toMatchObject({
      code: 'room_not_found',
    })
    expect(await refusal(client.publish({ room: 'office', channel: 'a' }))).toMatchObject({ code: 'room_not_found' })
    await boss.publish({ room: 'office', channel: 'a' })
    await boss.command('join_channel', { channel: 'office:b' })
    await boss.command('create_channel', { channel: 'office:c' })
    expect(await refusal(client.command('join_channel', { channel: 'office:d' }))).toMatchObject({
      code: 'channel_not_found',
    })
    for (const name of ['a', 'b', 'c']) {
      await client.command('join_channel', { channel: `office:${name}` })
      await client.publish({ room: 'office', channel: name })
    }
    await client.command('join_channel', { channel: 'office:d', admin_key: adminKey })
    expect(await channelsOf(client, 'office')).toEqual(['a', 'b', 'c', 'd'])
  })
})

describe('cleanup', async () => {
  const idleMs = 50
  const tidyClock = testClock()
  const tidy = await startBus({ channelIdleMs: idleMs, historyTtlMs: 10_000, rateLimit: null }, { clock: tidyClock })
  const watcher = await tidy.as('watcher')

  /** Creates a channel by a join, and leaves it: it has no messages. */
  async function touch(channel: string) {
    await watcher.command('join_channel', { channel })
    await watcher.command('leave_channel', { channel })
  }
  /**
   * Waits until the bus has swept: the first channel to expire is removed. Channels that the same sweep kept still
   * exist.
   */
  async function tidied(room: string, rest: readonly string[]) {
    await eventually(async () => expect(await channelsOf(watcher, room)).toEqual([...rest]))
  }

  test('an auto-created channel is removed after its idle time', async () => {
    await touch('idle:early')
    tidyClock.advance(idleMs - 1)
    await touch('idle:late')
    tidyClock.advance(1)
    await tidied('idle', ['late'])
    tidyClock.advance(idleMs)
    await tidied('idle', [])
    expect(await roomOf(watcher, 'idle')).toBeUndefined()
  })

  test('an auto-created channel is kept until its history has expired', async () => {
    await touch('held:silent')
    await watcher.publish({ room: 'held', channel: 'spoken' })
    tidyClock.advance(9_999)
    await tidied('held', ['spoken'])
    await touch('held:another')
    tidyClock.advance(idleMs)
    await tidied('held', [])
  })

  test('an idle channel is kept while it has participants, and room-wide subscribers do not keep it', async () => {
    const [inside, wide] = await Promise.all([tidy.as('inside', 'used:direct', 'used:*'), tidy.as('wide', 'used:*')])
    await touch('used:silent')
    tidyClock.advance(idleMs)
    await tidied('used', ['direct'])
    await inside.close()
    await eventually(async () => expect(await channelOf(watcher, 'used:direct')).toMatchObject({ state: 'empty' }))
    tidyClock.advance(idleMs)
    await tidied('used', [])
    // The room is kept for its subscriber.
    await watcher.publish({ room: 'used', channel: 'later' })
    expect(await wide.messages()).toMatchObject([{ channel: 'later' }])
  })

  test('a channel made by create_channel is never removed for being idle', async () => {
    await watcher.command('create_channel', { channel: 'kept:made' })
    await touch('kept:joined')
    tidyClock.advance(1_000_000)
    await tidied('kept', ['made'])
  })

  test('a user room is removed when it has had no channel, subscriber or message for the idle time', async () => {
    await watcher.command('create_channel', { channel: 'brief:a', room_config: { topic: 'anything' } })
    await watcher.command('delete_channel', { channel: 'brief:a' })
    tidyClock.advance(idleMs - 1)
    // A channel in time, and the room remains as it was created.
    await watcher.command('create_channel', { channel: 'brief:b' })
    expect(await roomOf(watcher, 'brief')).toMatchObject({ config: { topic: 'anything' } })
    await watcher.command('delete_channel', { channel: 'brief:b' })
    const inside = await tidy.as('inside-brief', 'brief:*')
    await touch('sweeps:one')
    tidyClock.advance(idleMs)
    await tidied('sweeps', [])
    expect(await roomOf(watcher, 'brief')).toBeDefined()
    await inside.command('leave_channel', { channel: 'brief:*' })
    tidyClock.advance(idleMs)
    await eventually(async () => expect(await roomOf(watcher, 'brief')).toBeUndefined())
  })

  test('channels created and deleted again in hundreds of new rooms leave no room behind', async () => {
    const before = (await watcher.command('status')).totals
    for (let i = 0; i < 400; i++) {
      const channel = `flood-${i}:x`
      watcher.send({ type: 'command', payload: { name: 'create_channel', parameters: { channel } } })
      watcher.send({ type: 'command', payload: { name: 'delete_channel', parameters: { channel } } })
    }
    const replies = (await watcher.everything()).filter(({ type }) => type === 'command_response')
    expect(replies.filter(({ payload }) => payload.status === 'success')).toHaveLength(800)
    expect((await watcher.command('status')).totals.rooms).toBe(before.rooms + 400)
    tidyClock.advance(idleMs)
    await eventually(async () => expect((await watcher.command('status')).totals).toEqual(before))
  })

  test('a dynamic room without channels is removed once its broadcast history has expired', async () => {
    await watcher.publish({ room: 'echoes', channel: '*' })
    await touch('echoes:a')
    tidyClock.advance(9_999)
    await tidied('echoes', [])
    expect(await roomOf(watcher, 'echoes')).toMatchObject({ channels: [] })
    tidyClock.advance(1)
    await eventually(async () => expect(await roomOf(watcher, 'echoes')).toBeUndefined())
  })
})

describe('the limit of channels', () => {
  /** Three channels besides the four built-in ones reach the limit. */
  const setUp = async () => {
    const fullClock = testClock()
    const full = await startBus({ maxChannels: 7, channelIdleMs: 60_000 }, { clock: fullClock })
    return { fullClock, client: await full.as('client') }
  }

  test('at the channel limit a new channel is refused until the longest idle one may be evicted with its history', async () => {
    const { fullClock, client } = await setUp()
    for (const channel of ['first', 'second', 'third']) {
      await client.publish({ room: 'full', channel })
      fullClock.advance(10_000)
    }
    expect(await refusal(client.publish({ room: 'full', channel: 'fourth' }))).toMatchObject({
      code: 'too_many_channels',
      details: { limit: 7 },
    })
    await client.publish({ room: 'full', channel: 'first' })
    fullClock.advance(50_000)
    await client.publish({ room: 'full', channel: 'fourth' })
    expect(await channelsOf(client, 'full')).toEqual(['first', 'third', 'fourth'])
    expect(await refusal(client.command('history', { channel: 'full:second' }))).toMatchObject({
      code: 'channel_not_found',
    })
  })

  test('a channel that was created explicitly or has participants is not evicted at the channel limit', async () => {
    const { fullClock, client } = await setUp()
    await client.command('create_channel', { channel: 'full:made' })
    await client.command('join_channel', { channel: 'full:joined' })
    await client.command('create_channel', { channel: 'full:made-too' })
    fullClock.advance(3_600_000)
    expect(await refusal(client.publish({ room: 'full', channel: 'more' }))).toMatchObject({
      code: 'too_many_channels',
    })
    expect(await refusal(client.command('create_channel', { channel: 'full:more' }))).toMatchObject({
      code: 'too_many_channels',
    })
    expect((await channelsOf(client, 'full')).toSorted()).toEqual(['joined', 'made', 'made-too'])
  })
})
