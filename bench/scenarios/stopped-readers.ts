import { connect, connectMany } from '../load/connection.ts'
import { residentKib } from '../load/process-figures.ts'
import { createTraffic } from '../load/traffic.ts'
import { connectAll, measureTraffic } from '../load/window.ts'
import { type Server, startServer } from '../servers/server.ts'
import { bus, lossless, type Scenario } from './scenario.ts'

/**
 * 300 subscribers of scheduled messages, with and without 300 more that stop reading before the measurement begins. The
 * kernel buffers half a MiB for each of those, then its buffer in the bus fills, the bus falls back to the log for it,
 * and finally closes it.
 */
const healthy = 300
const stopped = 300
const withStopped = { ...bus, name: '300 stopped' }
const without = { ...bus, name: 'none stopped' }

export const stoppedReaders: Scenario = {
  name: 'stopped-readers',
  title: '300 subscribers beside 300 that have stopped reading, 1,000 messages per second',
  sides: [withStopped, without],
  targets: [{ figure: 'p99Ms', ratioMax: 1.3 }, ...lossless],
  rounds: 3,
  span: { warmSeconds: 5, seconds: 30 },
  async measure(side, span) {
    const server = await startServer(side.server)
    const traffic = createTraffic(
      {
        shape: { bytes: 250, filling: 'text', ack: false },
        pace: { kind: 'rate', perSecond: 1000 },
        publishers: 1,
        positions: server.positions,
      },
      healthy,
    )
    const connections = await connectAll(server, healthy, traffic)
    const before = residentKib(server.pid)
    if (side === withStopped) await stall(server)
    const figures = await measureTraffic(server, traffic, connections, span)
    const grownMib = (residentKib(server.pid) - before) / 1024
    await server.stop()
    return { ...figures, grownMib }
  },
}

/** Subscribers that join and then never read. */
async function stall(server: Server): Promise<void> {
  await connectMany(stopped, 256, async (index) => {
    const connection = await connect(server.endpoint, healthy + index, `stopped-${index}`, { text: () => {} })
    connection.socket.pause()
    return connection
  })
}
