/** From the history of one channel to live delivery without a gap (docs/protocol.md#history-and-recovery, recovery). */
import { describe, expect, test } from 'bun:test'
import type { Frame, TestClient } from '@arqonbus/testing'
import { addressed, contents, createFixture, join, numbers, positions } from './fixture.ts'

const { bus, clock, say, speaker } = await createFixture()

const isEvent = (frame: Frame) => frame.type === 'event'

/** Takes `count` messages, in the order of arrival. */
async function take(client: TestClient, count: number): Promise<Frame[]> {
  const frames: Frame[] = []
  while (frames.length < count) frames.push(await client.next(isEvent))
  return frames
}

describe('one channel', () => {
  test('a join without `since` returns the head of the channel and delivers only later messages', async () => {
    const [head] = (await say('plain:a', [1, 2])).slice(-1)
    const client = await bus.connect()
    expect(await join(client, { channel: 'plain:a' })).toEqual({
      channel: 'plain:a',
      type: 'general',
      position: head!,
      room_position: expect.any(String),
    })
    await say('plain:a', [3])
    expect(contents(await client.messages())).toEqual([3])
  })

  test('a join with `since` delivers the missed messages once and in order, then live ones', async () => {
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

  test('the reply to a join arrives before the recovered messages', async () => {
    const at = await say('answer:a', [1, 2])
    const client = await bus.connect()
    const id = client.send({
      type: 'command',
      payload: { name: 'join_channel', parameters: { channel: 'answer:a', since: at[0] } },
    })
    expect((await client.everything()).map((frame) => frame.payload.request_id ?? frame.payload.n)).toEqual([id, 2])
  })

  test('a join from the head misses nothing, and a join from the origin gets everything', async () => {
    await speaker.command('create_channel', { channel: 'ends:a' })
    const { position: origin } = await join(speaker, { channel: 'ends:a' })
    await speaker.command('leave_channel', { channel: 'ends:a' })
    const [beforeAll, atHead, fromOrigin] = await Promise.all([bus.connect(), bus.connect(), bus.connect()])
    expect(await join(beforeAll, { channel: 'ends:a', since: origin! })).toMatchObject({ recovered: true, missed: 0 })
    const at = await say('ends:a', [1, 2])
    expect(await join(atHead, { channel: 'ends:a', since: at[1]! })).toMatchObject({ recovered: true, missed: 0 })
    expect(await join(fromOrigin, { channel: 'ends:a', since: origin! })).toMatchObject({ recovered: true, missed: 2 })
    expect(contents(await beforeAll.messages())).toEqual([1, 2])
    expect(contents(await atHead.messages())).toEqual([])
    expect(contents(await fromOrigin.messages())).toEqual([1, 2])
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
      missed: 3,
    })
    await say('proof:a', [4])
    expect(contents(await right.messages())).toEqual([3, 4])
    // It is unknown where the two logs diverged, so all messages are delivered; the client recognises those that it has
    // by their ids.
    expect(contents(await wrong.messages())).toEqual([1, 2, 3, 4])
  })

  test('a join from a position that is no longer kept gets `trimmed`, then the kept messages, then live ones', async () => {
    await speaker.command('create_channel', { channel: 'trimmed:a', options: { history_size: 3 } })
    const { position: origin } = await join(await bus.connect(), { channel: 'trimmed:a' })
    const at = await say('trimmed:a', numbers(1, 10))
    const trimmed = { recovered: false, reason: 'trimmed', first: at[7]!, position: at[6]!, missed: 3 }
    const clients = []
    for (const since of [origin!, at[0]!, at[5]!]) {
      const client = await bus.connect()
      expect(await join(client, { channel: 'trimmed:a', since })).toMatchObject(trimmed)
      clients.push(client)
    }
    await say('trimmed:a', [11])
    for (const client of clients) expect(contents(await client.messages())).toEqual([8, 9, 10, 11])
  })

  test('a client that lacks only kept messages recovers, although its own last message is no longer kept', async () => {
    await speaker.command('create_channel', { channel: 'next:a', options: { history_size: 5 } })
    const at = await say('next:a', numbers(1, 8))
    const client = await bus.connect()
    expect(await join(client, { channel: 'next:a', since: at[2]! })).toMatchObject({ recovered: true, missed: 5 })
    expect(contents(await client.messages())).toEqual(numbers(4, 8))
  })

  test('the position of a failed recovery can be recovered from later', async () => {
    await speaker.command('create_channel', { channel: 'base:a', options: { history_size: 2 } })
    const at = await say('base:a', numbers(1, 5))
    const { position: base } = await join(await bus.connect(), { channel: 'base:a', since: at[0]! })
    const client = await bus.connect()
    expect(await join(client, { channel: 'base:a', since: base! })).toMatchObject({ recovered: true, missed: 2 })
    expect(contents(await client.messages())).toEqual([4, 5])
  })

  test('a joined client that asks for trimmed messages is moved back to the first kept one', async () => {
    await speaker.command('create_channel', { channel: 'back-to:a', options: { history_size: 2 } })
    const client = await bus.connect({ query: { join: 'back-to:a' } })
    const at = await say('back-to:a', numbers(1, 4))
    await client.messages()
    expect(await join(client, { channel: 'back-to:a', since: at[0]! })).toMatchObject({ recovered: false, missed: 2 })
    await say('back-to:a', [5])
    expect(contents(await client.messages())).toEqual([3, 4, 5])
  })

  test('a client at the head has missed nothing, even if the head itself has expired', async () => {
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

  test('a channel that was deleted and recreated gives `reset`, and all its messages are new', async () => {
    const at = await say('reset:a', [1, 2])
    await speaker.command('delete_channel', { channel: 'reset:a' })
    const [first] = await say('reset:a', [3, 4])
    const [behind, current] = await Promise.all([bus.connect(), bus.connect()])
    const reset = { recovered: false, reason: 'reset', first: first!, missed: 2 }
    const ofBehind = await join(behind, { channel: 'reset:a', since: at[0]! })
    expect(ofBehind).toMatchObject(reset)
    expect(ofBehind).not.toHaveProperty('complete')
    // It had all messages of the old channel, and receives all of the new one.
    expect(await join(current, { channel: 'reset:a', since: at[1]! })).toMatchObject({ ...reset, complete: true })
    await say('reset:a', [5])
    for (const client of [behind, current]) expect(contents(await client.messages())).toEqual([3, 4, 5])
  })

  test('a position that the log never assigned gives `diverged`', async () => {
    const at = await say('other:a', [1, 2, 3])
    const [ms, n] = at[1]!.split('-').map(Number) as [number, number]
    for (const since of [`${ms}-${n + 10}`, `${ms + 1}-${n}`, `${ms + 10}-${n + 1}`]) {
      const client = await bus.connect()
      expect(await join(client, { channel: 'other:a', since })).toMatchObject({ recovered: false, reason: 'diverged' })
    }
  })

  test('joining a joined channel with `since` recovers again and continues live without duplicates', async () => {
    const client = await bus.connect({ query: { join: 'again:a' } })
    const at = await say('again:a', [1, 2, 3])
    expect(contents(await client.messages())).toEqual([1, 2, 3])
    expect(await join(client, { channel: 'again:a', since: at[0]! })).toMatchObject({ recovered: true, missed: 2 })
    await say('again:a', [4])
    expect(contents(await client.messages())).toEqual([2, 3, 4])
  })

  test('joining a channel with `since` that a room-wide subscription covers delivers missed messages once', async () => {
    const client = await bus.connect({ query: { join: 'covered:*' } })
    const at = await say('covered:a', [1, 2, 3])
    await client.messages()
    expect(await join(client, { channel: 'covered:a', since: at[0]! })).toMatchObject({ recovered: true, missed: 2 })
    await say('covered:a', [4])
    await say('covered:b', [5])
    expect(contents(await client.messages())).toEqual([2, 3, 4, 5])
  })

  test('any number of missed messages arrives in pages, once and in order, while others publish', async () => {
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

  test('a client that returns after a broken connection misses nothing and gets nothing twice', async () => {
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
