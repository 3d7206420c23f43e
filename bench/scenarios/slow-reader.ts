import { type Connection, connect, sendText } from '../load/connection.ts'
import { createTraffic } from '../load/traffic.ts'
import { connectAll, measureTraffic } from '../load/window.ts'
import { busEndpoint, type Server, startServer } from '../servers/server.ts'
import { bus, lossless, type Scenario } from './scenario.ts'

/**
 * 1,000 subscribers of scheduled messages, with and without one more that does not read. The messages of the common
 * channel would take minutes to fill the kernel's buffers for it, so a second channel, which only that one has joined,
 * delivers 1.6 MB per second: within seconds its backlog reaches the bus, which falls back to the log for it and
 * finally closes it with 4429. It reconnects and stalls again. The second channel has the same traffic on both sides of
 * the comparison.
 */
const subscribers = 1000
const fed = 'bench:fed'
const withSlow = { ...bus, name: 'one slow' }
const without = { ...bus, name: 'none slow' }

export const slowReader: Scenario = {
  name: 'slow-reader',
  title: 'the other subscribers beside one slow reader among 1,000, 100 messages per second',
  sides: [withSlow, without],
  targets: [{ figure: 'p99Ms', ratioMax: 1.3 }, ...lossless],
  rounds: 3,
  span: { warmSeconds: 4, seconds: 20 },
  async measure(side, span) {
    const server = await startServer(side.server)
    const traffic = createTraffic(
      {
        shape: { bytes: 250, filling: 'text', ack: false },
        pace: { kind: 'rate', perSecond: 100 },
        publishers: 1,
        positions: server.positions,
      },
      subscribers,
    )
    const connections = await connectAll(server, subscribers, traffic)
    const feeding = await feed(server)
    const stalled = side === withSlow ? await stall(server) : undefined
    const figures = await measureTraffic(server, traffic, connections, span)
    clearInterval(feeding)
    stalled?.stop()
    await server.stop()
    return { ...figures, ...(stalled ? { slowReaderClosed: stalled.closed() } : {}) }
  },
}

/** Publishes 16 KiB to the second channel a hundred times per second. */
async function feed(server: Server): Promise<Timer> {
  const feeder = await connect(busEndpoint(server.endpoint.url, []), 0, 'feeder', { text: () => {} })
  const [room, channel] = fed.split(':')
  let count = 0
  return setInterval(() => {
    const envelope = {
      version: '1.0',
      id: `arq_feed-${count++}`,
      type: 'event',
      room,
      channel,
      from: feeder.clientId,
      timestamp: new Date().toISOString(),
      payload: { fill: 'x'.repeat(16_384) },
    }
    sendText(feeder, JSON.stringify(envelope))
  }, 10)
}

/** A subscriber that joins and then never reads; when the bus has closed it, it reconnects. */
async function stall(server: Server) {
  const slowEndpoint = busEndpoint(server.endpoint.url, ['bench:main', fed])
  let stopped = false
  let closed = 0
  const come = async () => {
    const connection: Connection = await connect(slowEndpoint, subscribers, `slow-${closed}`, {
      text: () => {},
      closed() {
        closed++
        if (!stopped) void come()
      },
    })
    connection.socket.pause()
  }
  await come()
  return {
    stop() {
      stopped = true
    },
    closed: () => closed,
  }
}
