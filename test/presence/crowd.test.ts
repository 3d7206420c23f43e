/** Presence in a crowd: what it sends is bounded by time and not by the square of the crowd (docs/protocol.md#presence). */
import { beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import type { TestClient } from '@arqonbus/testing'
import { type ManualBus, startManualBus } from '../support/manual-bus.ts'
import { stoppingReader } from '../support/stopping-reader.ts'
import { EVENT_MS, isPresence, nextPresence, presenceOf } from './fixture.ts'

// Thousands of connections.
setDefaultTimeout(60_000)

const CHANNEL = 'crowd:hall'
let bus: ManualBus
beforeEach(async () => {
  bus = await startManualBus({
    rateLimit: null,
    commandRate: null,
    presenceRate: null,
    socketSendBytes: 32 * 1024,
    pingIntervalMs: 86_400_000,
    pingTimeoutMs: 2 * 86_400_000,
  })
})
const frames = () => bus.metric('arqonbus_presence_frames_total')
const sentBytes = () => bus.metric('arqonbus_sent_bytes_total')

/** Connects clients, which join the channel and watch it. */
async function come(from: number, to: number): Promise<TestClient[]> {
  const all: TestClient[] = []
  for (let first = from; first < to; first += 250) {
    const ids = Array.from({ length: Math.min(250, to - first) }, (_, i) => `client-${first + i}`)
    all.push(
      ...(await Promise.all(
        ids.map(async (id) => {
          const client = await bus.as(id)
          await client.command('join_channel', { channel: CHANNEL, presence: true })
          return client
        }),
      )),
    )
  }
  return all
}

test('5,000 clients that join and watch one channel cost each of them an event for each quarter of a second', async () => {
  const SIZE = 5000
  const WINDOWS = 4
  const all: TestClient[] = []
  const sizes: number[] = []
  for (let window = 0; window < WINDOWS; window++) {
    all.push(...(await come((window * SIZE) / WINDOWS, ((window + 1) * SIZE) / WINDOWS)))
    const before = { frames: await frames(), bytes: await sentBytes() }
    bus.pass(EVENT_MS)
    await all.at(-1)!.command('ping')
    const sent = { frames: (await frames()) - before.frames, bytes: (await sentBytes()) - before.bytes }
    // One event for each that watches, with nothing but the number of members.
    expect(sent.frames).toBeLessThanOrEqual(all.length)
    expect(sent.bytes).toBeLessThan(all.length * 400)
    sizes.push(sent.frames)
  }
  expect(sizes.at(-1)).toBeGreaterThan(0)
  const [first] = all
  const events = await presenceOf(first!)
  expect(events.at(-1)).toEqual({ event: 'presence', count: SIZE })
  expect(events.length).toBeLessThanOrEqual(WINDOWS)
  for (const one of all) one.socket.close()
})

test('above 500 members events have only their number, and below 400 they name them again', async () => {
  const ada = await bus.as('ada')
  await ada.command('join_channel', { channel: CHANNEL, presence: true })
  const crowd = await Promise.all(Array.from({ length: 500 }, (_, i) => bus.as(`client-${i}`, CHANNEL)))
  expect(await nextPresence(bus, ada)).toEqual([{ event: 'presence', count: 501 }])
  const late = await bus.as('late')
  const joined = (await late.command('join_channel', { channel: CHANNEL, presence: true })) as { presence: object }
  expect(joined.presence).toEqual({ count: 502 })
  const leave = (from: number, to: number) =>
    Promise.all(crowd.slice(from, to).map((one) => one.command('leave_channel', { channel: CHANNEL })))
  await leave(0, 100)
  expect(await nextPresence(bus, ada)).toEqual([{ event: 'presence', count: 402 }])
  await leave(100, 102)
  const [again] = await nextPresence(bus, ada)
  expect(again).toMatchObject({ event: 'presence', count: 400, reset: true, left: [], updated: [] })
  const known = again!.joined!.map(({ client_id }) => client_id)
  for (let { cursor } = again!; cursor !== undefined; ) {
    const page = await ada.command('presence', { channel: CHANNEL, cursor, limit: 1000 })
    known.push(...page.members.map(({ client_id }) => client_id))
    cursor = page.cursor
  }
  expect(known.toSorted()).toEqual(['ada', 'late', ...crowd.slice(102).map(({ id }) => id)].toSorted())
  await leave(102, 103)
  expect(await nextPresence(bus, ada)).toMatchObject([{ count: 399, left: ['client-102'] }])
})

test('many statuses that change at once are sent in events of bounded length, each client in turn', async () => {
  const crowd = await come(0, 100)
  const [ada] = crowd
  await nextPresence(bus, ada!)
  const text = 'x'.repeat(1000)
  await Promise.all(crowd.map((one, i) => one.command('set_presence', { status: { i, text } })))
  const lengths: number[] = []
  const seen: unknown[] = []
  for (let events = await nextPresence(bus, ada!); events.length > 0; events = await nextPresence(bus, ada!)) {
    expect(events).toHaveLength(1)
    lengths.push(JSON.stringify(events[0]).length)
    seen.push(...events[0]!.updated!.map(({ status }) => status!.i))
  }
  expect(Math.max(...lengths)).toBeLessThan(34 * 1024)
  expect(lengths.length).toBe(4)
  expect(seen.toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 100 }, (_, i) => i))
})

test('a watcher that does not read is sent no more events, and then the list as it is', async () => {
  const stopped = await stoppingReader(bus.busUrl, 'stopped')
  await stopped.run('join_channel', { channel: CHANNEL, presence: true })
  stopped.pause()
  const bob = await bus.as('bob', CHANNEL)
  const text = 'x'.repeat(1000)
  let sent = 0
  // It is sent events until its buffers are full.
  for (let i = 0; ; i++) {
    await bob.command('set_presence', { status: { i, text } })
    bus.pass(EVENT_MS)
    const now = await frames()
    const { clients } = await bob.command('list_clients', { channel: CHANNEL })
    const queue = clients.find(({ client_id }) => client_id === 'stopped')!.queue_bytes
    expect(queue).toBeLessThan(128 * 1024)
    if (now === sent) break
    sent = now
  }
  await bob.command('set_presence', { status: { last: true } })
  stopped.resume()
  for (;;) {
    bus.pass(EVENT_MS)
    const frame = await stopped.nextFrame()
    if (!isPresence(frame as never) || frame.payload.reset !== true) continue
    expect(frame.payload).toMatchObject({
      count: 2,
      joined: [{ client_id: 'stopped' }, { client_id: 'bob', status: { last: true } }],
    })
    break
  }
  stopped.destroy()
})
