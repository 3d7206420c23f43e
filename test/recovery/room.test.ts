/** Recovery of a whole room, and several joins in one command (docs/protocol.md#history-and-recovery, recovery). */
import { describe, expect, test } from 'bun:test'
import type { CommandParameters } from '@arqonbus/protocol'
import { eventually, refusal } from '@arqonbus/testing'
import { addressed, contents, createFixture, join, numbers, positions } from './fixture.ts'

const { bus, clock, say, speaker } = await createFixture()

describe('a whole room', () => {
  test('a room-wide join lists the heads of all channels that the client may read', async () => {
    const owner = await bus.as('owner-of-heads')
    const [a] = await say('heads:a', [1])
    const [, b] = await say('heads:b', [2, 3])
    await owner.command('create_channel', {
      channel: 'heads:secret',
      type: 'private',
      metadata: { members: ['member-of-heads'] },
    })
    const { position: secret } = await owner.publish({ room: 'heads', channel: 'secret' })
    const [stranger, member] = await Promise.all([bus.connect(), bus.as('member-of-heads')])
    const open = [
      { channel: 'heads:a', position: a! },
      { channel: 'heads:b', position: b! },
    ]
    expect(await join(stranger, { channel: 'heads:*' })).toMatchObject({
      channel: 'heads:*',
      channels: open,
      recoverable: true,
    })
    expect((await join(member, { channel: 'heads:*' })).channels).toEqual([
      ...open,
      { channel: 'heads:secret', type: 'private', position: secret! },
    ])
  })

  test('a map of positions recovers each channel from its own position, and newer channels from their origin', async () => {
    const a = await say('wide:a', [1, 2])
    const b = await say('wide:b', [3, 4])
    const all = await say('wide:*', [5, 6])
    await say('wide:born-later', [7])
    const client = await bus.connect()
    const since = { a: a[0]!, b: b[1]! }
    expect(await join(client, { channel: 'wide:*', since, room_since: all[0]! })).toMatchObject({
      room_recovered: true,
      recoverable: true,
      channels: [
        { channel: 'wide:a', recovered: true, missed: 1 },
        { channel: 'wide:b', recovered: true, missed: 0 },
        { channel: 'wide:born-later', recovered: true, missed: 1 },
      ],
    })
    await say('wide:b', [8])
    const heard = await client.messages()
    expect(addressed(heard).toSorted()).toEqual(['* 6', 'a 2', 'b 8', 'born-later 7'])
    expect(addressed(heard).at(-1)).toBe('b 8')
  })

  test('each channel of a room-wide recovery has an outcome of its own', async () => {
    await speaker.command('create_channel', { channel: 'mixed:short', options: { history_size: 1 } })
    const short = await say('mixed:short', [1, 2, 3])
    const long = await say('mixed:long', [4, 5])
    const { messages } = await speaker.command('history', { channel: 'mixed:long' })
    const client = await bus.connect()
    const since = { short: short[0]!, long: long[0]!, gone: long[0]! }
    const since_id = { long: messages[0]!.id }
    expect((await join(client, { channel: 'mixed:*', since, since_id })).channels).toMatchObject([
      { channel: 'mixed:short', recovered: false, reason: 'trimmed', first: short[2]!, position: short[1]!, missed: 1 },
      { channel: 'mixed:long', recovered: true, missed: 1 },
      // The bus does not know the channel, so messages may have been missed.
      { channel: 'mixed:gone', recovered: false, reason: 'reset' },
    ])
    expect(addressed(await client.messages()).toSorted()).toEqual(['long 5', 'short 3'])
    const diverged = await join(await bus.connect(), { channel: 'mixed:*', since, since_id: { long: messages[1]!.id } })
    expect(diverged.channels![1]).toMatchObject({ channel: 'mixed:long', recovered: false, reason: 'diverged' })
  })

  test('a deleted channel is named in a recovery if some of its messages may have been missed', async () => {
    const channels = ['had', 'lacked', 'idle']
    const at = new Map<string, string[]>()
    for (const name of channels) {
      if (name !== 'idle') await speaker.command('create_channel', { channel: `gone:${name}` })
      at.set(name, await say(`gone:${name}`, [1, 2]))
    }
    await say('gone:stays', [3])
    for (const name of ['had', 'lacked']) await speaker.command('delete_channel', { channel: `gone:${name}` })
    clock.advance(24 * 3_600_000)
    await eventually(async () => {
      const { channels: left } = await speaker.command('list_channels', { limit: 1000 })
      expect(left.map(({ room, name }) => `${room}:${name}`)).not.toContain('gone:idle')
    })
    await say('gone:stays', [4])
    const since = { had: at.get('had')![1]!, lacked: at.get('lacked')![0]!, idle: at.get('idle')![1]! }
    const named = async (positions: Record<string, string>) => {
      const { channels: heads } = await join(await bus.connect(), { channel: 'gone:*', since: positions })
      return heads!.filter(({ channel }) => channel !== 'gone:stays')
    }
    expect(await named(since)).toEqual([
      { channel: 'gone:had', recovered: false, reason: 'reset', complete: true },
      { channel: 'gone:lacked', recovered: false, reason: 'reset' },
    ])
    expect(await named({ idle: at.get('idle')![0]! })).toMatchObject([
      { channel: 'gone:idle', recovered: false, reason: 'trimmed', position: at.get('idle')![1]!, missed: 0 },
    ])
    // A recreated channel continues the numbers of the deleted one.
    const client = await bus.connect()
    const again = await say('gone:idle', [5])
    expect(again[0]).toMatch(/-3$/)
    expect((await join(client, { channel: 'gone:*', since })).channels).toContainEqual(
      expect.objectContaining({ channel: 'gone:idle', recovered: true, missed: 1 }),
    )
  })

  test('a room-wide recovery includes a private channel for clients that may read it', async () => {
    const owner = await bus.as('owner-of-den')
    await owner.command('create_channel', { channel: 'den:deep', type: 'private', metadata: { members: ['cub'] } })
    const first = await owner.publish({ room: 'den', channel: 'deep', payload: { n: 1 } })
    await owner.publish({ room: 'den', channel: 'deep', payload: { n: 2 } })
    const [cub, wolf] = await Promise.all([bus.as('cub'), bus.as('wolf')])
    const since = { deep: first.position! }
    expect((await join(cub, { channel: 'den:*', since })).channels).toMatchObject([
      { channel: 'den:deep', recovered: true, missed: 1 },
    ])
    // It is reported like a missing channel.
    expect((await join(wolf, { channel: 'den:*', since })).channels).toEqual([
      { channel: 'den:deep', recovered: false, reason: 'reset' },
    ])
    await owner.publish({ room: 'den', channel: 'deep', payload: { n: 3 } })
    expect(contents(await cub.messages())).toEqual([2, 3])
    expect(await wolf.messages()).toEqual([])
  })

  test('a room with more than 1,000 channels can be joined but not recovered, and the reply says so', async () => {
    for (const n of numbers(1, 1001)) speaker.send({ room: 'vast', channel: `c${n}`, payload: { n } })
    const { messages } = await speaker.command('history', { channel: 'vast:c1' })
    const client = await bus.connect()
    const result = await join(client, { channel: 'vast:*', since: { c1: positions(messages)[0]! } })
    expect(result.recoverable).toBeFalse()
    expect(result.channels).toHaveLength(1000)
    expect(result.channels!.some((one) => 'recovered' in one)).toBeFalse()
    await say('vast:c1001', [1])
    expect(addressed(await client.messages())).toEqual(['c1001 1'])
  })
})

describe('several joins in one command', () => {
  test('each of several joins has its own result, in order, and one that fails does not stop the others', async () => {
    const at = await say('several:a', [1, 2, 3])
    await speaker.command('create_channel', { channel: 'several:closed', type: 'private' })
    const client = await bus.connect()
    const { results } = (await client.command('join_channel', {
      channels: [
        { channel: 'several:a', since: at[1]! },
        { channel: 'several:closed' },
        { room: 'several', channel: 'new' },
        { channel: 'arqonbus:control' },
        { channel: 'several:b', since: '5-5' },
      ],
    })) as { results: Record<string, unknown>[] }
    expect(results).toMatchObject([
      { channel: 'several:a', recovered: true, missed: 1 },
      { channel: 'several:closed', error: { code: 'forbidden', status: 403 } },
      { channel: 'several:new' },
      { channel: 'arqonbus:control', error: { code: 'system_channel' } },
      { channel: 'several:b', recovered: false, reason: 'reset' },
    ])
    await say('several:b', [4])
    expect(contents(await client.messages())).toEqual([3, 4])
  })

  test('one command may hold up to 100 joins, and no other address beside them', async () => {
    const client = await bus.connect()
    const channels = numbers(1, 100).map((n) => ({ channel: `hundred:c${n}` }))
    const { results } = (await client.command('join_channel', { channels })) as { results: unknown[] }
    expect(results).toHaveLength(100)
    const wrong: CommandParameters<'join_channel'>[] = [
      { channels: [...channels, { channel: 'hundred:more' }] },
      { channels: [] },
      { channels, since: '1-1' },
      { channels, channel: 'hundred:more' },
    ]
    for (const parameters of wrong)
      expect(await refusal(join(client, parameters))).toMatchObject({ code: 'invalid_parameters' })
  })
})
