/** `latest`: a slow reader gets the newest message of each key, and is never closed for it (docs/protocol.md#delivery-policies). */
import { afterEach, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { eventually, startBus, type TestBus } from '@arqonbus/testing'
import { type RawMessage, type StoppingReader, stoppingReader } from '../support/stopping-reader.ts'

// Some of these start Redis, or publish many messages.
setDefaultTimeout(60_000)

const KiB = 1024
let bus: TestBus
const readers: StoppingReader[] = []
beforeEach(async () => {
  bus = await startBus({
    rateLimit: null,
    socketSendBytes: 32 * KiB,
    commandRate: null,
    pingIntervalMs: 86_400_000,
    pingTimeoutMs: 2 * 86_400_000,
  })
})
afterEach(() => {
  for (const one of readers.splice(0)) one.destroy()
})

const PAYLOAD = 'x'.repeat(16 * KiB)
/** The kernel buffers some MiB for a client that does not read; this many messages always exceed that. */
const MOST = 2000

async function reader(id: string, join: Record<string, unknown>): Promise<StoppingReader> {
  const one = await stoppingReader(bus.busUrl, id)
  readers.push(one)
  await one.run('join_channel', join)
  return one
}

const isEvent = ({ type }: RawMessage) => type === 'event'
const closed = () => bus.metric('arqonbus_slow_consumers_closed_total')

test('a reader that keeps up gets every message', async () => {
  const [ann, bob] = [await bus.as('ann'), await bus.as('bob')]
  await bob.command('join_channel', { channel: 'science:explore', delivery: 'latest' })
  for (let i = 0; i < 50; i++) ann.send({ channel: 'explore', payload: { i }, metadata: { key: 'one' } })
  await ann.command('ping')
  expect((await bob.messages()).map(({ payload }) => payload.i)).toEqual(Array.from({ length: 50 }, (_, i) => i))
  expect(await bus.metric('arqonbus_messages_left_out_total')).toBe(0)
})

test('a stopped reader has a bounded queue, is not closed, and then gets the newest message of each key', async () => {
  const ann = await bus.as('ann')
  const stopped = await reader('stopped', { channel: 'fast:feed', delivery: 'latest' })
  stopped.pause()
  let queued = 0
  for (let i = 0; i < MOST; i++) {
    ann.send({ room: 'fast', channel: 'feed', payload: { i, text: PAYLOAD }, metadata: { key: `k${i % 3}` } })
    if (i % 20 === 19) {
      const { clients } = await ann.command('list_clients', { channel: 'fast:feed' })
      queued = Math.max(queued, clients.find(({ client_id }) => client_id === 'stopped')!.queue_bytes)
    }
  }
  expect(await bus.metric('arqonbus_connections_catching_up')).toBe(0)
  // Low water, and one message more.
  expect(queued).toBeLessThan(128 * KiB)
  expect(await closed()).toBe(0)
  expect(stopped.isOpen).toBe(true)
  stopped.resume()
  const last = new Map<string, unknown>()
  let n = 0
  for (let count = 0; last.get(`k${(MOST - 1) % 3}`) !== MOST - 1; count++) {
    const frame = await stopped.nextFrame()
    if (!isEvent(frame)) continue
    const next = Number(frame.metadata!.position!.split('-')[1])
    expect(next).toBeGreaterThan(n)
    n = next
    last.set(frame.metadata!.key!, frame.payload.i)
    expect(count).toBeLessThan(MOST)
  }
  expect([...last.values()].toSorted()).toEqual([MOST - 3, MOST - 2, MOST - 1])
  expect(await bus.metric('arqonbus_messages_left_out_total')).toBeGreaterThan(0)
  expect(await closed()).toBe(0)
})

test('a subscriber of a whole room that stops reading then gets the newest message of each channel', async () => {
  const ann = await bus.as('ann')
  const stopped = await reader('stopped', { channel: 'metrics:*', delivery: 'latest' })
  stopped.pause()
  for (let i = 0; i < MOST; i++) {
    ann.send({ room: 'metrics', channel: `c${i % 4}`, payload: { i, text: PAYLOAD } })
    if (i % 50 === 49) await ann.command('ping')
  }
  stopped.resume()
  const last = new Map<string, unknown>()
  while (last.get(`c${(MOST - 1) % 4}`) !== MOST - 1) {
    const frame = await stopped.nextFrame()
    if (isEvent(frame)) last.set(frame.channel, frame.payload.i)
  }
  expect([...last.values()].toSorted()).toEqual([MOST - 4, MOST - 3, MOST - 2, MOST - 1])
  expect(await closed()).toBe(0)
})

test('a hundred stopped readers keep one message of a key, not one for each of them', async () => {
  const ann = await bus.as('ann')
  const all = await Promise.all(
    Array.from({ length: 100 }, (_, i) => reader(`stopped-${i}`, { channel: 'fast:feed', delivery: 'latest' })),
  )
  for (const one of all) one.pause()
  for (let i = 0; i < 200; i++) {
    ann.send({ room: 'fast', channel: 'feed', payload: { i, text: PAYLOAD } })
    await ann.command('ping')
  }
  expect(await bus.metric('arqonbus_send_queue_bytes')).toBeLessThan(100 * 128 * KiB)
  expect(await bus.metric('arqonbus_sampled_bytes')).toBeLessThan(2 * PAYLOAD.length)
  expect(await closed()).toBe(0)
  for (const one of all) one.resume()
  await Promise.all(
    all.map(async (one) => {
      while ((await one.nextFrame()).payload.i !== 199);
    }),
  )
  // Nobody lacks anything: nothing is kept.
  await eventually(async () => expect(await bus.metric('arqonbus_sampled_bytes')).toBe(0))
})
