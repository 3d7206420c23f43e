/** Breaks of a log that a live subscriber is told of (protocol §5, gap notices). */
import { describe, expect, test } from 'bun:test'
import { compile, Gap } from '@arqonbus/protocol'
import { createStage, join } from './stage.ts'

const { bus, say, speaker } = await createStage()

describe('a break that a live subscriber could not see', () => {
  const isGap = compile(Gap)

  test('a channel that is deleted and made again begins with a notice to those who listen to the whole room, once', async () => {
    const [wide, other] = await Promise.all([
      bus.connect({ query: { join: 'broken:*' } }),
      bus.connect({ query: { join: 'broken:*' } }),
    ])
    const at = await say('broken:a', [1, 2])
    await speaker.command('delete_channel', { channel: 'broken:a' })
    const direct = await bus.connect()
    const { position: birth } = await join(direct, { channel: 'broken:a' })
    await say('broken:a', [3, 4])
    for (const client of [wide, other]) {
      const frames = (await client.everything()).slice(2)
      expect(frames.map((frame) => frame.payload.event ?? frame.payload.n)).toEqual(['gap', 3, 4])
      expect(frames[0]).toMatchObject({ type: 'system', room: 'broken', channel: 'a', from: 'arqonbus' })
      expect(frames[0]!.payload).toEqual({ event: 'gap', reason: 'reset', after: at[1]!, next: birth! })
      expect(isGap(frames[0]!.payload)).toBeUndefined()
    }
    expect((await direct.everything()).map((frame) => frame.payload.n)).toEqual([3, 4])
  })

  test('one that ended without a message has nothing to tell', async () => {
    const wide = await bus.connect({ query: { join: 'mute:*' } })
    await speaker.command('create_channel', { channel: 'mute:a' })
    await speaker.command('delete_channel', { channel: 'mute:a' })
    await say('mute:a', [1])
    expect((await wide.everything()).map((frame) => frame.payload.event ?? frame.payload.n)).toEqual([1])
  })

  test('whoever came to the room after the channel had ended is told nothing: it has not heard the old one', async () => {
    const before = await bus.connect({ query: { join: 'left:*' } })
    await say('left:a', [1])
    await speaker.command('delete_channel', { channel: 'left:a' })
    await before.command('leave_channel', { channel: 'left:*' })
    const after = await bus.connect({ query: { join: 'left:*' } })
    await say('left:a', [2])
    expect((await after.everything()).map((frame) => frame.payload.event ?? frame.payload.n)).toEqual([2])
  })

  test('the notice of a private channel is for those who may read it', async () => {
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
    expect((await owner.everything()).map((frame) => frame.payload.event ?? frame.payload.n)).toEqual([1, 'gap', 2])
    expect(await stranger.everything()).toEqual([])
  })
})
