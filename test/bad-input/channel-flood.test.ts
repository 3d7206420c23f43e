/** Memory that clients make the bus allocate is released, and requests that never end are closed. */
import { afterAll, describe, expect, test } from 'bun:test'
import { dial, eventually, openRaw, type RawSocket, type TestClient } from '@arqonbus/testing'
import { type MeasuredBus, startMeasuredBus } from './support/measured-bus.ts'
import { expectServed } from './support/served.ts'

const MiB = 1024 * 1024
const BUILT_IN = 4
/** History and sessions are removed at once; channels when they have been unused for `idle`. */
const start = (idle: string) =>
  startMeasuredBus({
    ARQONBUS_RATE_LIMIT: 'off',
    ARQONBUS_HISTORY_TTL: '400ms',
    ARQONBUS_CHANNEL_IDLE: idle,
    ARQONBUS_SESSION_TTL: '400ms',
    ARQONBUS_MAX_CHANNELS_PER_CLIENT: '100000',
    ARQONBUS_MAX_CHANNELS_PER_ADDRESS: '100000',
  })
const bus = await start('200ms')

/**
 * Runs a first client: the code that the bus loads and compiles for it stays in memory, and does not belong to clients.
 */
async function heapBefore(of: MeasuredBus): Promise<number> {
  const first = await of.connect()
  await first.command('ping')
  await first.close()
  await expectForgotten(of)
  return of.heap()
}

/** Expects that everything created on demand was removed, and its memory released. */
async function expectForgotten(of: MeasuredBus, heap = Number.POSITIVE_INFINITY, most = 4 * MiB): Promise<void> {
  const names = ['channels', 'connections', 'sessions_kept', 'history_entries', 'subscriptions']
  await eventually(
    async () =>
      expect(await Promise.all(names.map((name) => of.metric(`arqonbus_${name}`)))).toEqual([BUILT_IN, 0, 0, 0, 0]),
    { everyMs: 50 },
  )
  expect((await of.heap()) - heap).toBeLessThan(most)
}

/** Creates channels with long names, by publishing a message to each. */
function nameChannels(client: TestClient, count: number): void {
  const head = `{"version":"1.0","id":"arq_1","type":"event","room":"a-room-with-some-name","channel":"a-channel-with-a-name-`
  const tail = `","from":"${client.id}","timestamp":"2026-11-21T12:00:00Z","payload":{}}`
  for (let i = 0; i < count; i++) client.raw(head + String(i).padStart(6, '0') + tail)
}

/** Requests that begin and never end. They are opened now, because their timeout is 10 s. */
const unfinished: Record<string, string> = {
  'says nothing': '',
  'says half a line': 'GET /?client_id=eve HT',
  'never ends its head': 'GET / HTTP/1.1\r\nHost: x\r\n',
  'breaks off in the middle of the upgrade': 'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgr',
  'promises a body': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n',
}
const halfOpen: RawSocket[] = []
for (const text of Object.values(unfinished)) {
  for (const port of ['bus', 'http'] as const) {
    const socket = await dial(port === 'bus' ? bus.busUrl : bus.httpUrl)
    if (text !== '') socket.write(text)
    halfOpen.push(socket)
  }
}
const dribbling = await dial(bus.busUrl)
dribbling.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ')
const dribble = setInterval(() => dribbling.isOpen && dribbling.write('x'), 500)

afterAll(() => {
  clearInterval(dribble)
  for (const socket of [...halfOpen, dribbling]) socket.destroy()
})

describe('memory for state that clients created', () => {
  test('each of 100,000 idle channels with long names costs no more than 1,100 bytes', async () => {
    const full = await start('1h')
    const first = await full.connect()
    await first.command('ping')
    await first.close()
    const [before, there] = [await full.heap(), await full.metric('arqonbus_channels')]
    const eve = await full.connect({ query: { client_id: 'eve' } })
    nameChannels(eve, 100_000)
    // Existing channels count too, and none is evicted before one has been idle for long enough.
    const refused = (await eve.everything()).map(({ payload }) => (payload.error as { code: string }).code)
    expect(refused).toEqual(Array.from({ length: there }, () => 'too_many_channels'))
    await eventually(async () => expect(await full.metric('arqonbus_history_entries')).toBe(0))
    expect(await full.metric('arqonbus_channels')).toBe(100_000)
    expect(((await full.heap()) - before) / 100_000).toBeLessThan(1100)
    await eve.close()
  }, 1100_000)

  test('the memory of 20,000 unused channels is released', async () => {
    const before = await heapBefore(bus)
    const eve = await bus.connect({ query: { client_id: 'eve' } })
    nameChannels(eve, 20_000)
    expect(await eve.everything()).toEqual([])
    await eve.close()
    // The ends of their last 10,000 logs are remembered, so that a returning client learns whether it missed anything.
    await expectForgotten(bus, before, 8 * MiB)
    await expectServed(bus)
  }, 120_000)

  test('the memory of 10,000 subscriptions of ten clients and of their sessions is released', async () => {
    const before = await heapBefore(bus)
    const clients = await Promise.all(
      Array.from({ length: 10 }, (_, i) => bus.connect({ query: { client_id: `eve-${i}` } })),
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
    expect(await bus.metric('arqonbus_subscriptions')).toBe(10_000)
    const beyond = await clients[0]!.command('join_channel', { channels: [{ channel: 'one:more' }] })
    expect(beyond).toMatchObject({ results: [{ error: { code: 'too_many_subscriptions', details: { limit: 1000 } } }] })
    await Promise.all(clients.map((client) => client.close()))
    await expectForgotten(bus, before)
    await expectServed(bus)
  }, 120_000)

  test('the memory of 1,000 connections that open and close at once, cleanly or not, is released', async () => {
    const before = await heapBefore(bus)
    const url = (i: number) =>
      `${bus.busUrl}?client_id=fleeting-${i}&screen_name=${'x'.repeat(128)}&avatar=${'y'.repeat(2048)}&join=fleeting:channel-${i}`
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
    await expectForgotten(bus, before)
    await expectServed(bus)
  }, 120_000)
})

describe('incomplete requests', () => {
  test('a connection whose HTTP request never ends is closed after its timeout', async () => {
    for (const socket of halfOpen) expect((await socket.ended).code).toBeUndefined()
  }, 120_000)

  test('a connection whose HTTP request arrives endlessly byte by byte is closed after its timeout', async () => {
    expect((await dribbling.ended).code).toBeUndefined()
    await expectServed(bus)
  }, 120_000)
})
