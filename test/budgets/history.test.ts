/** Who loses messages when memory is full: whoever uses most of it (docs/protocol.md#budgets). */
import { expect, test } from 'bun:test'
import { eventually, type TestClient, testClock } from '@arqonbus/testing'
import { AWAY, at, behindProxy, HOME } from './addresses.ts'

const KiB = 1024

const numbersIn = async (client: TestClient, channel: string): Promise<number[]> =>
  (await client.command('history', { channel, limit: 1000 })).messages.map(({ payload }) => payload.n as number)

const say = (client: TestClient, address: string, n: number, length = 10) => {
  const [room, channel] = address.split(':') as [string, string]
  return client.publish({ room, channel, payload: { n, text: 'x'.repeat(length) } })
}

test('a stranger who floods many channels with large messages removes its own history only', async () => {
  const bus = await behindProxy({ historyBytes: 512 * KiB })
  const [ann, eve] = [await at(bus, HOME, 'ann'), await at(bus, AWAY, 'eve')]
  for (let n = 1; n <= 50; n++) await say(ann, 'science:talk', n)
  for (let n = 1; n <= 40; n++) await say(eve, `flood:c${n % 7}`, n, 64 * KiB)
  expect(await numbersIn(ann, 'science:talk')).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
  expect(await bus.metric('arqonbus_history_bytes')).toBeLessThanOrEqual(512 * KiB)
  expect(await bus.metric('arqonbus_kept_bytes{kind="history"}')).toBe(await bus.metric('arqonbus_history_bytes'))
  expect(await bus.metric('arqonbus_history_expired_total{reason="bytes"}')).toBeGreaterThan(30)
})

test('a stranger with many client ids has the share of one address', async () => {
  const bus = await behindProxy({ historyBytes: 256 * KiB })
  const ann = await at(bus, HOME, 'ann')
  for (let n = 1; n <= 50; n++) await say(ann, 'science:talk', n, KiB)
  for (let id = 0; id < 40; id++) {
    const eve = await at(bus, AWAY, `eve-${id}`, { session: 'none' })
    for (let n = 1; n <= 5; n++) await say(eve, `flood:c${id}`, n, 4 * KiB)
    await eve.close()
  }
  expect(await numbersIn(ann, 'science:talk')).toHaveLength(50)
})

test('clients of one address are separate too: one that floods removes nothing of another', async () => {
  const bus = await behindProxy({ historyBytes: 256 * KiB })
  const [ann, eve] = [await at(bus, HOME, 'ann'), await at(bus, HOME, 'eve')]
  for (let n = 1; n <= 50; n++) await say(ann, 'science:talk', n)
  for (let n = 1; n <= 40; n++) await say(eve, 'flood:a', n, 32 * KiB)
  expect(await numbersIn(ann, 'science:talk')).toHaveLength(50)
})

test('in a shared channel only its own size of history removes the messages of others', async () => {
  const bus = await behindProxy({ historyBytes: 256 * KiB, historySize: 100 })
  const [ann, eve] = [await at(bus, HOME, 'ann'), await at(bus, AWAY, 'eve')]
  for (let n = 1; n <= 10; n++) await say(ann, 'science:lobby', n)
  await say(eve, 'science:lobby', 11)
  for (let n = 1; n <= 40; n++) await say(eve, 'flood:a', n, 32 * KiB)
  expect(await numbersIn(ann, 'science:lobby')).toEqual(Array.from({ length: 11 }, (_, i) => i + 1))
  for (let n = 12; n <= 110; n++) await say(eve, 'science:lobby', n)
  expect((await numbersIn(ann, 'science:lobby'))[0]).toBe(11)
})

test('34 private messages to 32 recipients remove no message of a channel, and no inbox of somebody else', async () => {
  const bus = await behindProxy({ historyBytes: 512 * KiB, inboxBytes: 512 * KiB })
  const [ann, bob] = [await at(bus, HOME, 'ann'), await at(bus, HOME, 'bob')]
  await say(ann, 'science:talk', 1)
  const letter = (client: TestClient, to: string | string[], n: number, length: number) =>
    client.publish({
      ...{ room: 'arqonbus', channel: 'pm', type: 'private', payload: { n, text: 'x'.repeat(length) } },
      metadata: { to },
    })
  await letter(ann, 'bob', 1, 10)
  const eve = await at(bus, AWAY, 'eve')
  const crowd = await Promise.all(Array.from({ length: 32 }, (_, i) => at(bus, AWAY, `crowd-${i}`)))
  for (let n = 1; n <= 34; n++)
    await letter(
      eve,
      crowd.map(({ id }) => id),
      n,
      16 * KiB,
    )
  expect(await numbersIn(ann, 'science:talk')).toEqual([1])
  expect(await numbersIn(bob, 'arqonbus:inbox')).toEqual([1])
  expect(await bus.metric('arqonbus_kept_bytes{kind="inboxes"}')).toBeWithin(256 * KiB, 512 * KiB + 1)
})

test('a client that fills the memory of acknowledged ids is refused, and others are still acknowledged', async () => {
  const clock = testClock()
  const bus = await behindProxy({ dedupBytes: 128 * KiB }, { clock })
  const [ann, eve] = [await at(bus, HOME, 'ann'), await at(bus, AWAY, 'eve')]
  for (let n = 0; n < 4000; n++) eve.send({ room: 'flood', channel: 'a', payload: {}, metadata: { ack: true } })
  const replies = await eve.everything()
  const refused = replies.filter(({ payload }) => payload.status === 'error')
  expect(refused.length).toBeGreaterThan(1000)
  for (const { payload } of refused)
    expect(payload.error).toMatchObject({ code: 'rate_limited', details: { limit: 'dedup_bytes' } })
  for (let n = 0; n < 100; n++) await say(ann, 'science:talk', n)
  expect(await bus.metric('arqonbus_limits_hit_total{limit="dedup_bytes"}')).toBe(refused.length)
})

test('one channel keeps no more than CHANNEL_BYTES, and its newest messages stay', async () => {
  const bus = await behindProxy({ channelBytes: 64 * KiB })
  const ann = await at(bus, HOME, 'ann')
  for (let n = 1; n <= 20; n++) await say(ann, 'science:talk', n, 8 * KiB)
  const kept = await numbersIn(ann, 'science:talk')
  expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 21 - kept.length + i))
  expect(kept.length).toBeWithin(5, 9)
  await eventually(async () => expect(await bus.metric('arqonbus_history_entries')).toBe(kept.length))
})
