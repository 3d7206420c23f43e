/**
 * Peers that request data without reading, or send endlessly: the bus buffers a bounded amount, finally closes them,
 * and other clients are not affected.
 */
import { afterAll, describe, expect, test } from 'bun:test'
import { eventually, openRaw, type RawFrame, type RawSocket } from '@arqonbus/testing'
import { type MeasuredBus, startMeasuredBus } from './support/measured-bus.ts'

const MiB = 1024 * 1024
const settings = { ARQONBUS_RATE_LIMIT: 'off', ARQONBUS_HISTORY_SIZE: '100', ARQONBUS_HISTORY_BYTES: '8MiB' }
/**
 * In the one the heartbeat takes an hour, so that a reader is not closed because this process is busy; in the other no
 * client reads.
 */
const bus = await startMeasuredBus({ ...settings, ARQONBUS_PING_TIMEOUT: '1h' })
const strict = await startMeasuredBus({
  ...settings,
  ARQONBUS_HISTORY_TTL: '1s',
  ARQONBUS_CHANNEL_IDLE: '1s',
  ARQONBUS_SESSION_TTL: '1s',
  ARQONBUS_PING_INTERVAL: '200ms',
  ARQONBUS_PING_TIMEOUT: '2s',
})
const SEND_BUFFER_HARD_LIMIT = MiB

/** The clients of the one that have stopped reading. */
const stalled: RawSocket[] = []
afterAll(() => {
  for (const raw of stalled) raw.destroy()
})

/** Opens a welcomed connection that no longer reads. */
async function stall(query: string): Promise<RawSocket> {
  const raw = await openStalled(bus, query)
  stalled.push(raw)
  return raw
}

async function openStalled(at: MeasuredBus, query: string): Promise<RawSocket> {
  const raw = await openRaw(`${at.busUrl}?${query}`)
  await raw.nextJson()
  raw.pause()
  return raw
}

const LOOK_EVERY_MS = 10

/**
 * Expects the send buffers and the memory of the bus to stay within bounds during `attack`, until all traffic has
 * stopped.
 */
async function expectBounded(attack: () => Promise<void>): Promise<void> {
  const before = await bus.resident()
  let isOver = false
  const watch = async () => {
    const most = { queued: 0, grown: 0 }
    while (!isOver) {
      most.queued = Math.max(most.queued, await bus.metric('arqonbus_send_queue_bytes'))
      most.grown = Math.max(most.grown, (await bus.resident()) - before)
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
    }
    return most
  }
  const watched = watch()
  await attack()
  isOver = true
  const { queued, grown } = await watched
  expect(queued).toBeLessThan(2 * SEND_BUFFER_HARD_LIMIT * stalled.length)
  expect(grown).toBeLessThan(96 * MiB)
}

/** Waits until no more data of the flood moves: the bus has read all that it will. */
async function untilStill(raw: RawSocket): Promise<void> {
  let last: unknown
  await eventually(async () => {
    const now = { unsent: raw.unsent, read: await bus.metric('arqonbus_received_bytes_total') }
    const before = last
    last = now
    expect(now).toEqual(before as typeof now)
  })
}

const envelope = (from: string, type: string, rest: string) =>
  `{"version":"1.0","id":"arq_1","type":"${type}","room":"stall","channel":"two","from":"${from}","timestamp":"2026-11-21T12:00:00Z","payload":${rest}}`
const times = (count: number, frame: RawFrame): RawFrame[] => Array.from({ length: count }, () => frame)
const floods: Record<string, (from: string) => RawFrame[]> = {
  'a client that requests much data and never reads the replies': (from) =>
    times(1000, { payload: envelope(from, 'command', '{"name":"history","parameters":{"limit":1000}}') }),
  'a client that requests little data, very often': (from) =>
    times(30_000, { payload: envelope(from, 'command', '{"name":"ping"}') }),
  'a client that is acknowledged and does not read': (from) =>
    times(50_000, { payload: envelope(from, 'event', '{},"metadata":{"ack":true}') }),
  'a client that pings endlessly and never reads a pong': () =>
    times(100_000, { kind: 'ping', payload: 'x'.repeat(125) }),
}
/** The growth of the heap of the strict one, after it has closed the clients that flood it and do not read. */
async function heapAfterLostHeartbeats(): Promise<number> {
  const isEmpty = () =>
    eventually(async () => {
      const held = ['connections', 'sessions_kept', 'history_entries', 'send_queue_bytes']
      expect(await Promise.all(held.map((name) => strict.metric(`arqonbus_${name}`)))).toEqual([0, 0, 0, 0])
    })
  // The code that the bus loads and compiles for the first client stays in memory.
  const first = await openStalled(strict, 'client_id=first&session=none&join=stall:two')
  first.frame({ payload: envelope('first', 'event', '{},"metadata":{"ack":true}') })
  first.destroy()
  await isEmpty()
  const heapBefore = await strict.heap()
  const flooding: RawSocket[] = []
  for (const [name, framesOf] of Object.entries(floods)) {
    const id = name.replaceAll(' ', '-')
    const raw = await openStalled(strict, `client_id=${id}&session=none&join=stall:two`)
    for (const frame of framesOf(id)) raw.frame(frame)
    flooding.push(raw)
  }
  await isEmpty()
  for (const raw of flooding) raw.destroy()
  return (await strict.heap()) - heapBefore
}
/** It takes 15 seconds, in which the other tests run. */
const grown = heapAfterLostHeartbeats()
grown.catch(() => {})

describe('bounded buffers', () => {
  test('a subscriber that stops reading costs bounded memory while another one gets everything', async () => {
    const before = await bus.metric('arqonbus_slow_fallbacks_total')
    await stall('client_id=stalled&session=none&join=stall:one')
    const reader = await bus.connect({ query: { join: 'stall:one' } })
    const publisher = await bus.connect()
    const text = 'x'.repeat(16 * 1024)
    await expectBounded(async () => {
      for (let i = 0; i < 200; i++) {
        const publish = () => publisher.publish({ room: 'stall', channel: 'one', payload: { text } })
        await Promise.all(Array.from({ length: 10 }, publish))
      }
    })
    const got = (await reader.messages()).map((frame) => Number(frame.metadata?.position?.split('-')[1]))
    expect(got).toEqual(Array.from({ length: 2000 }, (_, i) => i + 1))
    // It has stopped for the bus too: later messages are in the log, not in its buffer.
    expect(await bus.metric('arqonbus_slow_fallbacks_total')).toBe(before + 1)
    await Promise.all([reader.close(), publisher.close()])
  }, 120_000)

  test.each(Object.entries(floods))(
    'the server holds a bounded amount for %s',
    async (_, framesOf) => {
      const bystander = await bus.connect({ query: { client_id: 'bystander', session: 'none' } })
      await bystander.publish({ room: 'stall', channel: 'two', payload: { text: 'x'.repeat(250_000) } })
      const eve = `eve-${stalled.length}`
      const raw = await stall(`client_id=${eve}&session=none`)
      await expectBounded(async () => {
        for (const frame of framesOf(eve)) raw.frame(frame)
        for (let i = 0; i < 20; i++) await bystander.command('ping')
        await untilStill(raw)
      })
      await bystander.close()
    },
    120_000,
  )
})

test('a client that sends many requests at once and reads gets every reply in order', async () => {
  const ada = await bus.connect({ query: { client_id: 'ada', session: 'none' } })
  await ada.publish({ room: 'stall', channel: 'three', payload: { text: 'x'.repeat(250_000) } })
  const ask = { type: 'command', payload: { name: 'history', parameters: { channel: 'stall:three' } } } as const
  const asked = Array.from({ length: 200 }, () => ada.send(ask))
  const answered: unknown[] = []
  for (const _ of asked) answered.push((await ada.next()).payload.request_id)
  expect(answered).toEqual(asked)
  await ada.close()
})

test('clients that stopped reading are closed when the heartbeat is lost, and nothing is held for them then', async () => {
  expect(await grown).toBeLessThan(4 * MiB)
  expect((await fetch(`${strict.httpUrl}/health`)).status).toBe(200)
}, 120_000)
