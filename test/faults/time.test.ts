/** Steps of clocks, frozen processes and slow peers: no living connection is closed, and nothing is forgotten. */
import { afterAll, describe, expect, test } from 'bun:test'
import {
  connect,
  createFakeClock,
  encodeFrame,
  type Frame,
  openRaw,
  type RawSocket,
  upgradeRequest,
  withProgram,
} from '@arqonbus/testing'
import { type BusProcess, startBusProcess } from '../support/bus-process.ts'
import { until } from '../support/harness/until.ts'
import { settle } from '../support/nothing-forgotten.ts'

const settings = { ARQONBUS_PING_INTERVAL: '500ms', ARQONBUS_PING_TIMEOUT: '1s' }
/** So slow that the whole transfer takes longer than the timeout of a peer that reads nothing. */
const PIECE_EVERY_MS = 1000

const buses: BusProcess[] = []
afterAll(() => Promise.all(buses.map((bus) => bus.stop('SIGKILL'))))

async function startBus(environment: Readonly<Record<string, string>> = {}): Promise<BusProcess> {
  const bus = await startBusProcess({ settings: { ...settings, ...environment } })
  buses.push(bus)
  return bus
}

withProgram('faketime', 'steps of the server clock', () => {
  const MINUTES_MS = 600_000
  const DAYS_MS = 8 * 86_400_000

  test.each(['wall', 'all'] as const)(
    'a clock that is set closes no connection and makes nothing expire, and uptime goes on (%s)',
    async (steps) => {
      const clock = createFakeClock({ steps })
      const bus = await startBus(clock.environment)
      const { beat, expectNothingForgotten, leave } = await settle(bus)
      const uptime = async () => ((await (await fetch(`${bus.httpUrl}/health`)).json()) as UpFor).uptime_seconds
      let last = await uptime()
      let furthest = 0
      for (const offset of [MINUTES_MS, 0, -MINUTES_MS, 0, DAYS_MS, 0, -DAYS_MS, 0]) {
        clock.set(offset)
        // If the monotonic clock is set back, the timers of the runtime wait until it has caught up; arriving frames
        // are served.
        await expectNothingForgotten()
        if (steps === 'wall' || offset > furthest) await beat()
        furthest = Math.max(furthest, offset)
        await expectNothingForgotten()
        const now = await uptime()
        expect(now).toBeWithin(last, last + 120)
        last = now
      }
      await leave()
      bus.signal('SIGKILL')
      await bus.exited
      clock.clean(bus.pid)
      clock.remove()
    },
    120_000,
  )

  type UpFor = { uptime_seconds: number }
})

describe('a frozen server', () => {
  test('a server that is frozen for longer than the ping timeout closes no connection and forgets nothing', async () => {
    const bus = await startBus({
      ARQONBUS_SESSION_TTL: '4s',
      ARQONBUS_DEDUP_WINDOW: '60s',
      ARQONBUS_CHANNEL_IDLE: '60s',
    })
    const { beat, expectNothingForgotten, leave } = await settle(bus)
    for (const ms of [1500, 5000]) {
      bus.signal('SIGSTOP')
      await Bun.sleep(ms)
      bus.signal('SIGCONT')
      await expectNothingForgotten()
      await beat()
      await expectNothingForgotten()
    }
    await leave()
  }, 60_000)

  test('a server that was frozen accepts the backlog as its rate allows and closes no sender for it', async () => {
    const bus = await startBus({ ARQONBUS_RATE_LIMIT: '100/s,10' })
    const sender = await connect(bus.busUrl, { query: { client_id: 'sender' } })
    bus.signal('SIGSTOP')
    await Bun.sleep(1500)
    // As many as it could have sent during the freeze: more than the burst, but no flood.
    for (let n = 0; n < 150; n++) sender.send({ room: 'time', channel: 'flood', payload: { n } })
    bus.signal('SIGCONT')
    const isRefused = ({ payload }: Frame) => (payload.error as { code?: string } | undefined)?.code === 'rate_limited'
    for (let refused = 0; refused < 100; refused++) await sender.next(isRefused)
    await sender.close()
  }, 30_000)
})

describe('a slow peer', () => {
  /** A raw client that replies to pings when the test says so. */
  const peer = (bus: BusProcess, id: string): Promise<RawSocket> =>
    openRaw(`${bus.busUrl}?client_id=${id}&join=time:slow`)

  test('a peer whose frame takes longer to arrive than the ping timeout is not closed meanwhile', async () => {
    const bus = await startBus()
    const slow = await peer(bus, 'slow')
    await slow.nextJson()
    const text = JSON.stringify({
      version: '1.0',
      id: 'arq_long',
      type: 'event',
      room: 'time',
      channel: 'slow',
      from: 'slow',
      timestamp: '2026-11-21T12:00:00Z',
      payload: { text: 'x'.repeat(200_000) },
    })
    const frame = encodeFrame({ payload: text })
    const pieces = 40
    for (let piece = 0; piece < pieces; piece++) {
      slow.write(frame.subarray((piece * frame.length) / pieces, ((piece + 1) * frame.length) / pieces))
      await Bun.sleep(100)
    }
    expect(await slow.nextJson()).toMatchObject({ id: 'arq_long' })
    slow.destroy()
  }, 30_000)

  test('a peer that reads its backlog slowly and steadily is not closed, and one that reads nothing is', async () => {
    const bus = await startBus()
    const speaker = await connect(bus.busUrl, { query: { client_id: 'speaker' } })
    const reader = await throttled(bus.busUrl, 'reader')
    const stuck = await peer(bus, 'stuck')
    await stuck.nextJson()
    stuck.pause()
    // More than the buffers of the system: some of it has to wait.
    const count = 60
    for (let n = 0; n < count; n++)
      await speaker.publish({ room: 'time', channel: 'slow', payload: { n, text: 'x'.repeat(100_000) } })
    await until('all of it to be read', () => reader.read() > count * 100_000)
    expect(reader.isOpen()).toBeTrue()
    reader.end()
    await until('the end of the one that reads nothing', () =>
      /"(?:heartbeat_lost|slow_consumer)".*"stuck"/.test(bus.output()),
    )
    stuck.destroy()
    await speaker.close()
  }, 90_000)
})

/**
 * A connection that is read piece by piece, slowly: data of the server waits in the system and then in the server, and
 * its pings after it.
 */
async function throttled(busUrl: string, id: string) {
  const { hostname, port } = new URL(busUrl)
  let bytes = 0
  let isOpen = true
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      open: (opened) => void opened.write(upgradeRequest(`${busUrl}?client_id=${id}&join=time:slow`)),
      data(open, piece) {
        bytes += piece.length
        open.pause()
        setTimeout(() => open.resume(), PIECE_EVERY_MS)
      },
      close() {
        isOpen = false
      },
    },
  })
  await until('the answer to the upgrade', () => bytes > 0)
  return { read: () => bytes, isOpen: () => isOpen, end: () => socket.end() }
}
