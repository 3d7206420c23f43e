import type { MessageShape } from '../load/message.ts'
import { residentKib } from '../load/process-figures.ts'
import { createTraffic, type Pace } from '../load/traffic.ts'
import { connectAll, measureTraffic } from '../load/window.ts'
import { startServer } from '../servers/server.ts'
import { bare, bus, lossless, type Scenario } from './scenario.ts'

/**
 * Messages to one channel, the bus compared with the bare server. All loads are closed loops that saturate the server,
 * because the cost of a delivery depends on how many messages share a write, and only a saturated server has a stable
 * number.
 */
interface Fanout {
  name: string
  title: string
  subscribers: number
  /** The number of subscribers that also publish. */
  publishers: number
  shape: MessageShape
  pace: Pace
  ratioMax: number
}

const small: MessageShape = { bytes: 250, filling: 'text', ack: false }

export const fanouts: readonly Scenario[] = [
  fanout({
    name: 'fanout-1000',
    title: '1,000 subscribers, 1 publisher, 250-byte frames',
    subscribers: 1000,
    publishers: 1,
    shape: small,
    pace: { kind: 'slowest-subscriber', burst: 4 },
    ratioMax: 1.03,
  }),
  fanout({
    name: 'fanout-100',
    title: '100 subscribers, 10 publishers, 250-byte frames',
    subscribers: 100,
    publishers: 10,
    shape: small,
    pace: { kind: 'own-delivery', inFlight: 2 },
    ratioMax: 1.1,
  }),
  fanout({
    name: 'fanout-10',
    title: '10 subscribers, 10 publishers, 250-byte frames',
    subscribers: 10,
    publishers: 10,
    shape: small,
    pace: { kind: 'own-delivery', inFlight: 4 },
    ratioMax: 1.15,
  }),
  fanout({
    name: 'fanout-10-ack',
    title: '10 subscribers, 10 publishers, 250-byte frames, every message acknowledged by the bus',
    subscribers: 10,
    publishers: 10,
    shape: { ...small, ack: true },
    pace: { kind: 'own-delivery', inFlight: 4 },
    ratioMax: 1.35,
  }),
  fanout({
    name: 'structure-16k',
    title: '10 subscribers, 10 publishers, 16 KiB frames of nested structure',
    subscribers: 10,
    publishers: 10,
    shape: { bytes: 16_384, filling: 'tree', ack: false },
    pace: { kind: 'own-delivery', inFlight: 1 },
    ratioMax: 1.0,
  }),
]

function fanout({ name, title, subscribers, publishers, shape, pace, ratioMax }: Fanout): Scenario {
  return {
    name,
    title,
    sides: [bus, bare],
    targets: [
      { figure: 'cpuPerDeliveryUs', ratioMax },
      ...lossless,
      ...(shape.ack ? [{ figure: 'unacknowledged', max: 0 }] : []),
    ],
    async measure(side, span) {
      const server = await startServer(side.server)
      const traffic = createTraffic({ shape, pace, publishers, positions: server.positions }, subscribers)
      const connections = await connectAll(server, subscribers, traffic)
      const figures = await measureTraffic(server, traffic, connections, span)
      const residentMib = residentKib(server.pid) / 1024
      await server.stop()
      const sent = traffic.sent().reduce((sum, count) => sum + count, 0)
      const unacknowledged = shape.ack && side.server === 'bus' ? sent - traffic.acknowledged() : 0
      return { ...figures, ...(shape.ack ? { unacknowledged } : {}), residentMib }
    },
  }
}
