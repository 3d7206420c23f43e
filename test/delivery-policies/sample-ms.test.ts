/** A sampled subscription: one message in a period and key at most, and the last one always (docs/protocol.md#delivery-policies). */
import { beforeEach, describe, expect, test } from 'bun:test'
import { isMessage, type Publish, type TestClient } from '@arqonbus/testing'
import { type ManualBus, startManualBus } from '../support/manual-bus.ts'

let bus: ManualBus
beforeEach(async () => {
  bus = await startManualBus()
})

const CHANNEL = 'science:explore'
const said = (i: number, key?: string): Publish => ({
  channel: 'explore',
  payload: { i },
  ...(key !== undefined && { metadata: { key } }),
})
const numbers = async (client: TestClient) => (await client.messages()).map(({ payload }) => payload.i)

async function publishAll(client: TestClient, messages: readonly Publish[]): Promise<void> {
  for (const message of messages) await client.publish(message)
}

describe('a channel without keys', () => {
  test('the first message of a period comes at once, and the last one at its end', async () => {
    const [ann, bob] = [await bus.as('ann'), await bus.as('bob')]
    await bob.command('join_channel', { channel: CHANNEL, delivery: { sample_ms: 200 } })
    await publishAll(
      ann,
      [1, 2, 3, 4, 5].map((i) => said(i)),
    )
    expect(await numbers(bob)).toEqual([1])
    bus.pass(199)
    expect(await numbers(bob)).toEqual([])
    bus.pass(1)
    expect(await numbers(bob)).toEqual([5])
    expect(await bus.metric('arqonbus_messages_left_out_total')).toBe(3)
  })

  test('a period without a message ends, and the next message comes at once', async () => {
    const [ann, bob] = [await bus.as('ann'), await bus.as('bob')]
    await bob.command('join_channel', { channel: CHANNEL, delivery: { sample_ms: 200 } })
    await publishAll(ann, [said(1), said(2)])
    bus.pass(200)
    expect(await numbers(bob)).toEqual([1, 2])
    // Something was sent when that period ended, so the next one has begun.
    await publishAll(ann, [said(3)])
    expect(await numbers(bob)).toEqual([])
    bus.pass(200)
    expect(await numbers(bob)).toEqual([3])
    bus.pass(200)
    await publishAll(ann, [said(4)])
    expect(await numbers(bob)).toEqual([4])
  })

  test('other subscribers get every message, and the numbers of a sampled one jump without a gap notice', async () => {
    const [ann, bob, cid] = [await bus.as('ann'), await bus.as('bob'), await bus.as('cid', CHANNEL)]
    await bob.command('join_channel', { channel: CHANNEL, delivery: { sample_ms: 1000 } })
    await publishAll(
      ann,
      [1, 2, 3].map((i) => said(i)),
    )
    bus.pass(1000)
    expect(await numbers(cid)).toEqual([1, 2, 3])
    const frames = await bob.everything()
    expect(frames.filter(isMessage).map(({ metadata }) => metadata?.position?.split('-')[1])).toEqual(['1', '3'])
    expect(frames.filter(({ payload }) => payload.event === 'gap')).toEqual([])
  })

  test('what waits when a client leaves is sent first', async () => {
    const [ann, bob] = [await bus.as('ann'), await bus.as('bob')]
    await bob.command('join_channel', { channel: CHANNEL, delivery: { sample_ms: 60_000 } })
    await publishAll(ann, [said(1), said(2), said(3)])
    await bob.command('leave_channel', { channel: CHANNEL })
    expect(await numbers(bob)).toEqual([1, 3])
    await publishAll(ann, [said(4)])
    bus.pass(60_000)
    expect(await numbers(bob)).toEqual([])
  })

  test('a message that is deleted while it waits arrives as its tombstone', async () => {
    const [ann, bob] = [await bus.as('ann'), await bus.as('bob')]
    await bob.command('join_channel', { channel: CHANNEL, delivery: { sample_ms: 200 } })
    await publishAll(ann, [said(1)])
    const { position } = await ann.publish(said(2))
    await ann.command('delete_message', { channel: CHANNEL, position: position! })
    bus.pass(200)
    expect((await bob.messages()).map(({ payload, metadata }) => [payload, metadata?.arq_deleted])).toEqual([
      [{ i: 1 }, undefined],
      [{}, true],
    ])
  })

  test('what waits when the server shuts down is sent before that', async () => {
    const last = await startManualBus()
    const [ann, bob] = [await last.as('ann'), await last.as('bob')]
    await bob.command('join_channel', { channel: CHANNEL, delivery: { sample_ms: 60_000 } })
    await publishAll(ann, [said(1), said(2), said(3)])
    await last.drain('the test')
    await bob.closed
    expect(bob.frames.filter(isMessage).map(({ payload }) => payload.i)).toEqual([1, 3])
  })

  test('a message from before the join is not delivered at the end of its period', async () => {
    const [ann, bob, cid] = [await bus.as('ann'), await bus.as('bob'), await bus.as('cid')]
    await bob.command('join_channel', { channel: CHANNEL, delivery: { sample_ms: 200 } })
    await publishAll(ann, [said(1), said(2)])
    await cid.command('join_channel', { channel: CHANNEL, delivery: { sample_ms: 200 } })
    bus.pass(200)
    expect([await numbers(bob), await numbers(cid)]).toEqual([[1, 2], []])
  })

  test('with echo=false the sender gets acknowledgements in place of its own messages', async () => {
    const bob = await bus.connect({ query: { client_id: 'bob', echo: 'false' } })
    await bob.command('join_channel', { channel: CHANNEL, delivery: { sample_ms: 200 } })
    await publishAll(bob, [said(1), said(2)])
    bus.pass(200)
    expect(await numbers(bob)).toEqual([])
  })
})

describe('a channel with keys', () => {
  test('at the end of a period comes the newest message of each key, in the order of positions', async () => {
    const [ann, bob] = [await bus.as('ann'), await bus.as('bob')]
    await bob.command('join_channel', { channel: CHANNEL, delivery: { sample_ms: 200 } })
    await publishAll(ann, [said(1, 'a'), said(2, 'b'), said(3, 'a'), said(4), said(5, 'b'), said(6, 'a')])
    expect(await numbers(bob)).toEqual([1])
    bus.pass(200)
    expect(await numbers(bob)).toEqual([4, 5, 6])
  })

  test('a key inside the payload is none', async () => {
    const [ann, bob] = [await bus.as('ann'), await bus.as('bob')]
    await bob.command('join_channel', { channel: CHANNEL, delivery: { sample_ms: 200 } })
    for (const key of ['a', 'b', 'c']) await ann.publish({ channel: 'explore', payload: { i: key, key } })
    bus.pass(200)
    expect(await numbers(bob)).toEqual(['a', 'c'])
  })

  test('above ARQONBUS_SAMPLED_KEYS the keys that changed longest ago are left out, and counted', async () => {
    const small = await startManualBus({ sampledKeys: 3 })
    const [ann, bob] = [await small.as('ann'), await small.as('bob')]
    await bob.command('join_channel', { channel: CHANNEL, delivery: { sample_ms: 200 } })
    await publishAll(
      ann,
      [0, 1, 2, 3, 4, 5].map((i) => said(i, `key ${i}`)),
    )
    small.pass(200)
    expect(await numbers(bob)).toEqual([0, 3, 4, 5])
    expect(await small.metric('arqonbus_limits_hit_total{limit="sampled_keys"}')).toBe(2)
  })

  test('above ARQONBUS_SAMPLED_BYTES the messages that have waited longest are left out, and counted', async () => {
    const small = await startManualBus({ sampledBytes: 64 * 1024 })
    const [ann, bob] = [await small.as('ann'), await small.as('bob')]
    await bob.command('join_channel', { channel: CHANNEL, delivery: { sample_ms: 200 } })
    const large = (i: number) => ({ ...said(i, `key ${i}`), payload: { i, text: 'x'.repeat(20 * 1024) } })
    await publishAll(ann, [0, 1, 2, 3, 4, 5].map(large))
    small.pass(200)
    expect(await numbers(bob)).toEqual([0, 3, 4, 5])
    expect(await small.metric('arqonbus_limits_hit_total{limit="sampled_bytes"}')).toBe(2)
  })
})

describe('a whole room', () => {
  test('each channel has its own newest message, the broadcast and private channels too', async () => {
    const [ann, bob] = [await bus.as('ann'), await bus.as('bob')]
    const metadata = { members: ['bob'] }
    await ann.command('create_channel', { channel: 'science:secret', type: 'private', metadata })
    await bob.command('join_channel', { channel: 'science:*', delivery: { sample_ms: 200 } })
    for (const i of [1, 2, 3])
      for (const channel of ['a', 'b', 'secret', '*']) await ann.publish({ channel, payload: { i } })
    bus.pass(200)
    const all = (await bob.messages()).map(({ channel, payload }) => `${channel}${payload.i}`)
    expect(all.filter((text) => text.startsWith('*'))).toEqual(['*1', '*3'])
    expect(all.filter((text) => text.startsWith('secret'))).toEqual(['secret1', 'secret3'])
    expect(all.filter((text) => /^[ab]/.test(text))).toEqual(['a1', 'a3', 'b3'])
  })

  test('the notice that a channel was deleted comes, after its last message', async () => {
    const [ann, bob] = [await bus.as('ann'), await bus.as('bob')]
    await bob.command('join_channel', { channel: 'science:*', delivery: { sample_ms: 200 } })
    await ann.command('create_channel', { channel: 'science:gone' })
    for (const i of [1, 2]) await ann.publish({ channel: 'gone', payload: { i } })
    await ann.command('delete_channel', { channel: 'science:gone' })
    bus.pass(200)
    const frames = (await bob.everything()).filter(({ channel }) => channel === 'gone')
    expect(frames.map(({ payload }) => payload.event ?? payload.i)).toEqual([1, 2, 'channel_deleted'])
  })
})
