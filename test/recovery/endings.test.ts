/** Channels and rooms that are deleted while clients are subscribed to them. */
import { describe, expect, test } from 'bun:test'
import { ChannelDeleted, compile, SubscriptionEnded } from '@arqonbus/protocol'
import type { Frame } from '@arqonbus/testing'
import { adminKey, createFixture, join } from './fixture.ts'

const { bus, say, speaker } = await createFixture()

const isDeleted = compile(ChannelDeleted)
const isEnded = compile(SubscriptionEnded)
/** Frames as words: the name of a notice, or the number of a message. */
const words = (frames: readonly Frame[]) => frames.map(({ payload }) => payload.event ?? payload.n)

describe('deleted channels', () => {
  test('a deleted channel is announced to room-wide subscribers, whose subscription covers the next of its name', async () => {
    const [wide, other] = await Promise.all([
      bus.connect({ query: { join: 'broken:*' } }),
      bus.connect({ query: { join: 'broken:*' } }),
    ])
    const at = await say('broken:a', [1, 2])
    await speaker.command('delete_channel', { channel: 'broken:a' })
    for (const client of [wide, other]) {
      const frames = await client.everything()
      expect(words(frames)).toEqual([1, 2, 'channel_deleted'])
      expect(frames[2]).toMatchObject({ type: 'system', room: 'broken', channel: 'a', from: 'arqonbus' })
      expect(frames[2]!.payload).toEqual({ event: 'channel_deleted', last: at[1]! })
      expect(isDeleted(frames[2]!.payload)).toBeUndefined()
    }
    const direct = await bus.connect({ query: { join: 'broken:a' } })
    const again = await say('broken:a', [3, 4])
    expect(again.map((position) => position.split('-')[1])).toEqual(['1', '2'])
    // Nothing was missed, so there is no gap notice.
    for (const client of [wide, other, direct]) expect(words(await client.everything()).slice(-2)).toEqual([3, 4])
    for (const client of [wide, other, direct]) expect(words(client.frames)).not.toContain('gap')
  })

  test('a deleted channel is announced even if it had no messages', async () => {
    const wide = await bus.connect({ query: { join: 'mute:*' } })
    await speaker.command('create_channel', { channel: 'mute:a' })
    await speaker.command('delete_channel', { channel: 'mute:a' })
    await say('mute:a', [1])
    expect(words(await wide.everything())).toEqual(['channel_deleted', 1])
  })

  test('a deleted channel is announced to no client that has left the room or joins later', async () => {
    const before = await bus.connect({ query: { join: 'left:*' } })
    await say('left:a', [1])
    await before.command('leave_channel', { channel: 'left:*' })
    await speaker.command('delete_channel', { channel: 'left:a' })
    const after = await bus.connect({ query: { join: 'left:*' } })
    await say('left:a', [2])
    expect(words(await before.everything())).not.toContain('channel_deleted')
    expect(words(await after.everything())).toEqual([2])
  })

  test('a deleted private channel is announced only to clients that may read it', async () => {
    const [owner, stranger] = await Promise.all([
      bus.as('owner-of-cave', 'cave:*'),
      bus.connect({ query: { join: 'cave:*' } }),
    ])
    const made = { channel: 'cave:deep', type: 'private' } as const
    await owner.command('create_channel', made)
    await owner.publish({ room: 'cave', channel: 'deep', payload: { n: 1 } })
    await owner.command('delete_channel', { channel: 'cave:deep' })
    await owner.command('create_channel', made)
    await owner.publish({ room: 'cave', channel: 'deep', payload: { n: 2 } })
    expect(words(await owner.everything())).toEqual([1, 'channel_deleted', 2])
    expect(await stranger.everything()).toEqual([])
  })
})

describe('deleted rooms', () => {
  const admin = () => bus.connect({ headers: { authorization: `Bearer ${adminKey}` } })

  test('a deleted room ends its subscriptions with a notice, and the next room of its name is a separate one', async () => {
    await speaker.command('create_channel', { channel: 'made:a' })
    const client = await bus.as('subscriber-of-made', 'made:*')
    const before = await bus.metric('arqonbus_subscriptions')
    await speaker.command('delete_channel', { channel: 'made:a' })
    await (await admin()).command('delete_room', { room: 'made' })
    const frames = await client.everything()
    expect(words(frames)).toEqual(['channel_deleted', 'subscription_ended'])
    expect(frames[1]).toMatchObject({ type: 'system', room: 'made', channel: '*', from: 'arqonbus' })
    expect(frames[1]!.payload).toEqual({ event: 'subscription_ended', reason: 'room_deleted' })
    expect(isEnded(frames[1]!.payload)).toBeUndefined()
    expect(await bus.metric('arqonbus_subscriptions')).toBe(before - 1)
    const { clients } = await client.command('list_clients', { limit: 1000 })
    expect(clients.find(({ client_id: id }) => id === client.id)?.subscriptions).toEqual([])

    await say('made:a', [1])
    expect(words(await client.everything())).not.toContain(1)
    await join(client, { channel: 'made:*' })
    await say('made:a', [2])
    expect(words(await client.everything()).at(-1)).toBe(2)
  })

  test('a deleted room is not kept in the session of a client that had joined it', async () => {
    await speaker.command('create_channel', { channel: 'unkept:a' })
    const client = await bus.as('unkept', 'unkept:*', 'else:a')
    await speaker.command('delete_channel', { channel: 'unkept:a' })
    await (await admin()).command('delete_room', { room: 'unkept' })
    const { session } = client.welcome
    const again = await bus.connect({ query: { client_id: 'unkept' }, headers: { 'arqonbus-session': session } })
    expect(again.welcome.kept_subscriptions).toEqual(['else:a'])
  })

  test('a client that was disconnected when its room was deleted joins the later room of that name', async () => {
    await speaker.command('create_channel', { channel: 'later:a' })
    const client = await bus.as('absent', 'later:*')
    await client.close()
    await speaker.command('delete_channel', { channel: 'later:a' })
    await speaker.command('delete_room', { room: 'later' })
    const again = await bus.connect({
      query: { client_id: 'absent' },
      headers: { 'arqonbus-session': client.welcome.session },
    })
    expect(again.welcome.kept_subscriptions).toEqual(['later:*'])
    await join(again, { channel: 'later:*' })
    await say('later:a', [1])
    expect(words(await again.messages())).toEqual([1])
  })
})
