/** What a client can make the bus remember goes again, and what takes long does not take for ever. */
import { afterAll, describe, expect, test } from 'bun:test'
import { dial, eventually, openRaw, type RawSocket, type TestClient } from '@arqonbus/testing'
import { type MeasuredBus, startMeasuredBus } from './support/measured-bus.ts'
import { expectServed } from './support/served.ts'

const MiB = 1024 * 1024
const BUILT_IN = 4
/** Channels stay long enough to be measured in the one, and go at once in the other. */
const [bus, quick] = (await Promise.all(
  ['4s', '200ms'].map((idle) =>
    startMeasuredBus({
      ARQONBUS_RATE_LIMIT: 'off',
      ARQONBUS_HISTORY_TTL: '400ms',
      ARQONBUS_CHANNEL_IDLE: idle,
      ARQONBUS_SESSION_TTL: '400ms',
    }),
  ),
)) as [MeasuredBus, MeasuredBus]

/** What the first client makes the bus load and compile stays: it is no memory of clients. */
async function heapBefore(of: MeasuredBus): Promise<number> {
  const first = await of.connect()
  await first.command('ping')
  await first.close()
  await expectForgotten(of)
  return of.heap()
}

/** Whatever was made on demand has gone, and so has the memory for it. */
async function expectForgotten(of: MeasuredBus, heap = Number.POSITIVE_INFINITY): Promise<void> {
  const names = ['channels', 'connections', 'sessions_kept', 'history_entries', 'subscriptions']
  await eventually(
    async () =>
      expect(await Promise.all(names.map((name) => of.metric(`arqonbus_${name}`)))).toEqual([BUILT_IN, 0, 0, 0, 0]),
    { withinMs: 15_000, everyMs: 50 },
  )
  expect((await of.heap()) - heap).toBeLessThan(4 * MiB)
}

/** Requests that begin and do not end; they are opened now, and looked at when their time is over. */
const unfinished: Record<string, string> = {
  'says nothing': '',
  'says half a line': 'GET /?client_id=eve HT',
  'never ends its head': 'GET / HTTP/1.1\r\nHost: x\r\n',
  'breaks off in the middle of the upgrade': 'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgr',
  'promises a body': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n',
}
const openedAt = performance.now()
const halfOpen: { name: string; door: 'bus' | 'http'; socket: RawSocket; endedAfterMs: Promise<number> }[] = []
for (const [name, text] of Object.entries(unfinished)) {
  for (const door of ['bus', 'http'] as const) {
    const socket = await dial(door === 'bus' ? bus.busUrl : bus.httpUrl)
    if (text !== '') socket.write(text)
    halfOpen.push({ name, door, socket, endedAfterMs: socket.ended.then(() => performance.now() - openedAt) })
  }
}
const dribbling = await dial(bus.busUrl)
dribbling.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ')
const dribble = setInterval(() => dribbling.isOpen && dribbling.write('x'), 500)
const dribbled = dribbling.ended.then(() => performance.now() - openedAt)

afterAll(() => {
  clearInterval(dribble)
  for (const { socket } of [...halfOpen, { socket: dribbling }]) socket.destroy()
})

describe('the memory for what clients made comes back', () => {
  test('100,000 channels with long names from one client: each costs less than 1 KiB while it idles', async () => {
    const before = await heapBefore(bus)
    const eve = await bus.connect({ query: { client_id: 'eve' } })
    const head =
      '{"version":"1.0","id":"arq_1","type":"event","room":"a-room-with-some-name","channel":"a-channel-with-a-name-'
    const tail = '","from":"eve","timestamp":"2026-11-21T12:00:00Z","payload":{}}'
    for (let i = 0; i < 100_000; i++) eve.raw(head + String(i).padStart(6, '0') + tail)
    // The built-in channels count too, and until one is idle for long enough nothing goes for what comes.
    const refused = (await eve.everything()).map(({ payload }) => (payload.error as { code: string }).code)
    expect(refused).toEqual(Array.from({ length: BUILT_IN }, () => 'too_many_channels'))
    const { channels, heap } = await eventually(async () => {
      expect(await bus.metric('arqonbus_history_entries')).toBe(0)
      const channels = await bus.metric('arqonbus_channels')
      const heap = await bus.heap()
      // Some may have gone while we measured: then we measure again.
      expect(await bus.metric('arqonbus_channels')).toBe(channels)
      return { channels, heap }
    })
    expect(channels).toBeGreaterThan(10_000)
    expect((heap - before) / channels).toBeLessThan(1024)
    await eve.close()
    await expectForgotten(bus, before)
    await expectServed(bus)
  }, 120_000)

  test('10,000 subscriptions of ten clients, and their sessions', async () => {
    const before = await heapBefore(quick)
    const clients = await Promise.all(
      Array.from({ length: 10 }, (_, i) => quick.connect({ query: { client_id: `eve-${i}` } })),
    )
    const joinAll = async (client: TestClient) => {
      for (let at = 0; at < 1000; at += 100) {
        const channels = Array.from({ length: 100 }, (_, i) => ({
          channel: `${client.id}:${'x'.repeat(50)}-${at + i}`,
        }))
        await client.command('join_channel', { channels })
      }
    }
    await Promise.all(clients.map(joinAll))
    expect(await quick.metric('arqonbus_subscriptions')).toBe(10_000)
    const beyond = await clients[0]!.command('join_channel', { channels: [{ channel: 'one:more' }] })
    expect(beyond).toMatchObject({ results: [{ error: { code: 'too_many_subscriptions', details: { limit: 1000 } } }] })
    await Promise.all(clients.map((client) => client.close()))
    await expectForgotten(quick, before)
    await expectServed(quick)
  }, 120_000)

  test('1,000 connections that open and close at once, with and without a goodbye, welcomed or not', async () => {
    const before = await heapBefore(quick)
    const url = (i: number) =>
      `${quick.busUrl}?client_id=fleeting-${i}&screen_name=${'x'.repeat(128)}&avatar=${'y'.repeat(2048)}&join=fleeting:channel-${i}`
    await Promise.all(
      Array.from({ length: 1000 }, async (_, i) => {
        const raw = await openRaw(url(i))
        if (i % 4 === 1) await raw.head()
        if (i % 4 === 2) await raw.nextJson()
        if (i % 4 === 3) {
          await raw.nextJson()
          raw.frame({ kind: 'close' })
          await raw.ended
        }
        raw.destroy()
      }),
    )
    await expectForgotten(quick, before)
    await expectServed(quick)
  }, 120_000)
})

describe('a connection that does not become one is closed after its time', () => {
  test('a request that never ends', async () => {
    for (const { name, door, endedAfterMs } of halfOpen) {
      const seconds = (await endedAfterMs) / 1000
      expect([door, name, seconds < 16]).toEqual([door, name, true])
    }
  }, 120_000)

  test('a request that goes on for ever, byte by byte', async () => {
    expect((await dribbled) / 1000).toBeLessThan(16)
    await expectServed(bus)
  }, 120_000)
})
