/** From history to live without a hole (protocol §5, recovery and gap notices). */
import { describe, expect, test } from 'bun:test'
import { type CommandParameters, type CommandResult, compile, Gap } from '@arqonbus/protocol'
import { type Frame, refusal, startBus, type TestClient, testClock } from '@arqonbus/testing'

const clock = testClock()
const bus = await startBus({ rateLimit: null, historySize: 5000 }, { clock })
const speaker = await bus.as('speaker')

type JoinResult = Extract<CommandResult<'join_channel'>, { channel: string }>

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)
const contents = (frames: readonly Frame[]) => frames.map((frame) => frame.payload.n)
const positions = (frames: readonly Frame[]) => frames.map((frame) => frame.metadata!.position!)
const addressed = (frames: readonly Frame[]) => frames.map((frame) => `${frame.channel} ${frame.payload.n}`)
const isEvent = (frame: Frame) => frame.type === 'event'

/** Publishes `{ n }` for each number a millisecond after the other; gives the positions. */
async function say(address: string, all: readonly number[]): Promise<string[]> {
  const [room, channel] = address.split(':') as [string, string]
  const said: string[] = []
  for (const n of all) {
    clock.advance(1)
    said.push((await speaker.publish({ room, channel, payload: { n } })).position!)
  }
  return said
}
async function join(client: TestClient, parameters: CommandParameters<'join_channel'>): Promise<JoinResult> {
  return (await client.command('join_channel', parameters)) as JoinResult
}
/** Takes that many messages, in the order in which they come. */
async function take(client: TestClient, count: number): Promise<Frame[]> {
  const frames: Frame[] = []
  while (frames.length < count) frames.push(await client.next(isEvent))
  return frames
}

describe('one channel', () => {
  test('a join without `since` tells where the channel stands, and brings only what comes after it', async () => {
    const [head] = (await say('plain:a', [1, 2])).slice(-1)
    const client = await bus.connect()
    expect(await join(client, { channel: 'plain:a' })).toEqual({
      channel: 'plain:a',
      position: head!,
      room_position: expect.any(String),
    })
    await say('plain:a', [3])
    expect(contents(await client.messages())).toEqual([3])
  })

  test('a join with `since` brings what was missed, once and in order, and then what is live', async () => {
    const at = await say('missed:a', numbers(1, 10))
    const client = await bus.connect()
    expect(await join(client, { channel: 'missed:a', since: at[3]! })).toMatchObject({
      position: at[9]!,
      recovered: true,
      missed: 6,
    })
    await say('missed:a', [11, 12])
    const heard = await client.messages()
    expect(contents(heard)).toEqual(numbers(5, 12))
    expect(positions(heard).slice(0, 6)).toEqual(at.slice(4))
  })

  test('the answer comes before the messages', async () => {
    const at = await say('answer:a', [1, 2])
    const client = await bus.connect()
    const id = client.send({
      type: 'command',
      payload: { name: 'join_channel', parameters: { channel: 'answer:a', since: at[0] } },
    })
    expect((await client.everything()).map((frame) => frame.payload.request_id ?? frame.payload.n)).toEqual([id, 2])
  })

  test('from the head nothing is missed, and from the birth everything', async () => {
    await speaker.command('create_channel', { channel: 'ends:a' })
    const { position: birth } = await join(speaker, { channel: 'ends:a' })
    await speaker.command('leave_channel', { channel: 'ends:a' })
    const [beforeAll, atHead, fromBirth] = await Promise.all([bus.connect(), bus.connect(), bus.connect()])
    expect(await join(beforeAll, { channel: 'ends:a', since: birth! })).toMatchObject({ recovered: true, missed: 0 })
    const at = await say('ends:a', [1, 2])
    expect(await join(atHead, { channel: 'ends:a', since: at[1]! })).toMatchObject({ recovered: true, missed: 0 })
    expect(await join(fromBirth, { channel: 'ends:a', since: birth! })).toMatchObject({ recovered: true, missed: 2 })
    expect(contents(await beforeAll.messages())).toEqual([1, 2])
    expect(contents(await atHead.messages())).toEqual([])
    expect(contents(await fromBirth.messages())).toEqual([1, 2])
  })

  test('the id of the last message proves that the log is the same', async () => {
    const at = await say('proof:a', [1, 2, 3])
    const { messages } = await speaker.command('history', { channel: 'proof:a' })
    const [right, wrong] = await Promise.all([bus.connect(), bus.connect()])
    expect(await join(right, { channel: 'proof:a', since: at[1]!, since_id: messages[1]!.id })).toMatchObject({
      recovered: true,
      missed: 1,
    })
    expect(await join(wrong, { channel: 'proof:a', since: at[1]!, since_id: messages[0]!.id })).toMatchObject({
      recovered: false,
      reason: 'diverged',
      first: at[0]!,
      position: at[2]!,
    })
    expect(contents(await right.messages())).toEqual([3])
    await say('proof:a', [4])
    // Nothing of the past comes to the one that diverged: delivery is live.
    expect(contents(await wrong.messages())).toEqual([4])
  })

  test('what is not kept any more cannot be recovered: `trimmed`, with where the log begins', async () => {
    await speaker.command('create_channel', { channel: 'trimmed:a', options: { history_size: 3 } })
    const { position: birth } = await join(await bus.connect(), { channel: 'trimmed:a' })
    const at = await say('trimmed:a', numbers(1, 10))
    const trimmed = { recovered: false, reason: 'trimmed', first: at[7]!, position: at[9]! }
    for (const since of [birth!, at[0]!, at[6]!]) {
      const client = await bus.connect()
      expect(await join(client, { channel: 'trimmed:a', since })).toMatchObject(trimmed)
      expect(await client.messages()).toEqual([])
    }
    const last = await bus.connect()
    expect(await join(last, { channel: 'trimmed:a', since: at[7]! })).toMatchObject({ recovered: true, missed: 2 })
    expect(contents(await last.messages())).toEqual([9, 10])
  })

  test('whoever has the head has missed nothing, even when the head itself has expired', async () => {
    await speaker.command('create_channel', { channel: 'expired:a', options: { history_ttl_ms: 1000 } })
    const at = await say('expired:a', [1, 2])
    clock.advance(1000)
    const [current, behind] = await Promise.all([bus.connect(), bus.connect()])
    expect(await join(current, { channel: 'expired:a', since: at[1]! })).toMatchObject({ recovered: true, missed: 0 })
    expect(await join(behind, { channel: 'expired:a', since: at[0]! })).toMatchObject({
      recovered: false,
      reason: 'trimmed',
    })
  })

  test('a channel that was deleted and made again is another: `reset`', async () => {
    const at = await say('reset:a', [1, 2])
    await speaker.command('delete_channel', { channel: 'reset:a' })
    const [first] = await say('reset:a', [3])
    const client = await bus.connect()
    expect(await join(client, { channel: 'reset:a', since: at[0]! })).toMatchObject({
      recovered: false,
      reason: 'reset',
      first: first!,
    })
    expect(await client.messages()).toEqual([])
  })

  test('a position that this log never gave is `diverged`', async () => {
    const at = await say('other:a', [1, 2, 3])
    const [ms, n] = at[1]!.split('-').map(Number) as [number, number]
    for (const since of [`${ms}-${n + 10}`, `${ms + 1}-${n}`, `${ms + 10}-${n + 1}`]) {
      const client = await bus.connect()
      expect(await join(client, { channel: 'other:a', since })).toMatchObject({ recovered: false, reason: 'diverged' })
    }
  })

  test('joining what is joined with `since` recovers again, and goes on live once', async () => {
    const client = await bus.connect({ query: { join: 'again:a' } })
    const at = await say('again:a', [1, 2, 3])
    expect(contents(await client.messages())).toEqual([1, 2, 3])
    expect(await join(client, { channel: 'again:a', since: at[0]! })).toMatchObject({ recovered: true, missed: 2 })
    await say('again:a', [4])
    expect(contents(await client.messages())).toEqual([2, 3, 4])
  })

  test('joining what the room-wide subscription covers with `since` brings what was missed once', async () => {
    const client = await bus.connect({ query: { join: 'covered:*' } })
    const at = await say('covered:a', [1, 2, 3])
    await client.messages()
    expect(await join(client, { channel: 'covered:a', since: at[0]! })).toMatchObject({ recovered: true, missed: 2 })
    await say('covered:a', [4])
    await say('covered:b', [5])
    expect(contents(await client.messages())).toEqual([2, 3, 4, 5])
  })

  test('however much was missed, it comes in pages, each message once and in order, while others speak', async () => {
    const text = 'x'.repeat(500)
    for (const n of numbers(1, 4000)) speaker.send({ room: 'much', channel: 'a', payload: { n, text } })
    const first = (await speaker.command('history', { channel: 'much:a', limit: 1 })).messages
    const client = await bus.connect()
    const joined = join(client, { channel: 'much:a', since: positions(first)[0]! })
    for (const n of numbers(4001, 4500)) speaker.send({ room: 'much', channel: 'a', payload: { n, text } })
    const { recovered, missed } = await joined
    expect(recovered).toBeTrue()
    expect(missed).toBeGreaterThanOrEqual(3999)
    const heard = await take(client, 4499)
    expect(contents(heard)).toEqual(numbers(2, 4500))
    expect(positions(heard).map((position) => Number(position.split('-')[1]))).toEqual(numbers(2, 4500))
    expect(await client.messages()).toEqual([])
  })

  test('a client that comes back after a broken connection misses nothing and gets nothing twice', async () => {
    const heard: Frame[] = []
    let client = await bus.as('returning', 'back:a')
    for (let round = 0; round < 5; round++) {
      await say('back:a', numbers(round * 10 + 1, round * 10 + 5))
      heard.push(...(await client.messages()))
      const { session } = client.welcome
      client.socket.terminate()
      await client.closed
      await say('back:a', numbers(round * 10 + 6, round * 10 + 10))
      client = await bus.connect({ query: { client_id: 'returning' }, headers: { 'arqonbus-session': session } })
      const last = heard.at(-1)!
      await join(client, { channel: 'back:a', since: last.metadata!.position!, since_id: last.id })
      heard.push(...(await client.messages()))
    }
    expect(contents(heard)).toEqual(numbers(1, 50))
  })

  test('the broadcast of the room is recovered with `room_since`', async () => {
    await say('hall:a', [1])
    const at = await say('hall:*', [2, 3, 4])
    const client = await bus.connect()
    expect(await join(client, { channel: 'hall:a', room_since: at[0]! })).toMatchObject({
      room_position: at[2]!,
      room_recovered: true,
    })
    await say('hall:*', [5])
    expect(addressed(await client.messages())).toEqual(['* 3', '* 4', '* 5'])
    const lost = await bus.connect()
    expect(await join(lost, { channel: 'hall:a', room_since: at[0]!, room_since_id: 'arq_another' })).toMatchObject({
      room_recovered: false,
      room_reason: 'diverged',
    })
  })
})

describe('a whole room', () => {
  test('a room-wide join lists the heads of all channels that one may read', async () => {
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
      { channel: 'heads:secret', position: secret! },
    ])
  })

  test('with a map of positions each channel is recovered from its own, and one that was born later from its birth', async () => {
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

  test('each channel has an outcome of its own', async () => {
    await speaker.command('create_channel', { channel: 'mixed:short', options: { history_size: 1 } })
    const short = await say('mixed:short', [1, 2, 3])
    const long = await say('mixed:long', [4, 5])
    const { messages } = await speaker.command('history', { channel: 'mixed:long' })
    const client = await bus.connect()
    const since = { short: short[0]!, long: long[0]!, gone: long[0]! }
    const since_id = { long: messages[0]!.id }
    expect((await join(client, { channel: 'mixed:*', since, since_id })).channels).toMatchObject([
      { channel: 'mixed:short', recovered: false, reason: 'trimmed', first: short[2]! },
      { channel: 'mixed:long', recovered: true, missed: 1 },
    ])
    expect(addressed(await client.messages())).toEqual(['long 5'])
    const diverged = await join(await bus.connect(), { channel: 'mixed:*', since, since_id: { long: messages[1]!.id } })
    expect(diverged.channels![1]).toMatchObject({ channel: 'mixed:long', recovered: false, reason: 'diverged' })
  })

  test('a private channel is recovered, too, for those who may read it', async () => {
    const owner = await bus.as('owner-of-den')
    await owner.command('create_channel', { channel: 'den:deep', type: 'private', metadata: { members: ['cub'] } })
    const first = await owner.publish({ room: 'den', channel: 'deep', payload: { n: 1 } })
    await owner.publish({ room: 'den', channel: 'deep', payload: { n: 2 } })
    const [cub, wolf] = await Promise.all([bus.as('cub'), bus.as('wolf')])
    const since = { deep: first.position! }
    expect((await join(cub, { channel: 'den:*', since })).channels).toMatchObject([
      { channel: 'den:deep', recovered: true, missed: 1 },
    ])
    expect((await join(wolf, { channel: 'den:*', since })).channels).toEqual([])
    await owner.publish({ room: 'den', channel: 'deep', payload: { n: 3 } })
    expect(contents(await cub.messages())).toEqual([2, 3])
    expect(await wolf.messages()).toEqual([])
  })

  test('a room with more than 1,000 channels is joined, but not recoverable, and the answer says so', async () => {
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
  test('each has its own result, in order, and one that fails does not stop the others', async () => {
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

  test('up to 100, and nothing beside them', async () => {
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
