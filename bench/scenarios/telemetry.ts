import { connect } from '../load/connection.ts'
import { startRoomLoad } from '../load/rooms.ts'
import { startTelemetry } from '../load/telemetry.ts'
import { createTraffic } from '../load/traffic.ts'
import { connectAll, measureTraffic } from '../load/window.ts'
import { startServer, telemetryEndpoint } from '../servers/server.ts'
import { bus, lossless, type Scenario } from './scenario.ts'

/** The bus compared with itself: with and without a telemetry subscriber. */
const watched = { ...bus, name: 'one listener' }
const unwatched = { ...bus, name: 'no listener' }
const crowded = { ...bus, name: '100 listeners' }

const shape = { bytes: 250, filling: 'text', ack: false } as const

/** The cost of a message while a telemetry subscriber receives every event of the bus. */
export const telemetryFanout: Scenario = {
  name: 'telemetry-fanout',
  title: '100 subscribers, 10 publishers, 250-byte frames, one telemetry subscriber',
  sides: [watched, unwatched],
  targets: [{ figure: 'cpuPerDeliveryUs', ratioMax: 1.05 }, ...lossless],
  async measure(side, span) {
    const server = await startServer(side.server)
    if (side === watched) await connect(telemetryEndpoint(server.telemetryUrl!), 0, 'listener', { text() {} })
    const pace = { kind: 'own-delivery', inFlight: 2 } as const
    const traffic = createTraffic({ shape, pace, publishers: 10, positions: server.positions }, 100)
    const connections = await connectAll(server, 100, traffic)
    const figures = await measureTraffic(server, traffic, connections, span)
    await server.stop()
    return { ...figures }
  },
}

/** The effect of many telemetry subscribers on messages, and the delay of an event until all of them have it. */
export const telemetryListeners: Scenario = {
  name: 'telemetry-listeners',
  title: '10 subscribers of 10,000 messages per second beside 100 telemetry subscribers',
  sides: [crowded, unwatched],
  targets: [
    { figure: 'p99Ms', ratioMax: 1.3 },
    { figure: 'eventP99Ms', max: 500 },
    { figure: 'eventsMissing', max: 0 },
    ...lossless,
  ],
  rounds: 3,
  span: { seconds: 10 },
  async measure(side, span) {
    const server = await startServer(side.server)
    const pace = { kind: 'rate', perSecond: 10_000 } as const
    const traffic = createTraffic({ shape, pace, publishers: 10, positions: server.positions }, 10)
    const connections = await connectAll(server, 10, traffic)
    const telemetry = await startTelemetry(server, side === crowded ? 100 : 0)
    const figures = await measureTraffic(server, traffic, connections, span)
    await telemetry.stop()
    await server.stop()
    if (side !== crowded) return { ...figures }
    const ms = (share: number) => telemetry.latency.percentile(share) / 1000
    const events = { eventP50Ms: ms(0.5), eventP99Ms: ms(0.99), eventMaxMs: telemetry.latency.max() / 1000 }
    return { ...figures, ...events, eventsMissing: telemetry.missing() }
  },
}

const busyRooms = 100

/** Whether telemetry names every room of many, and how late. */
export const telemetryRooms: Scenario = {
  name: 'telemetry-rooms',
  title: '100 rooms with 12.5 messages per second each, one telemetry subscriber',
  sides: [bus],
  targets: [
    { figure: 'roomsNamed', min: busyRooms },
    { figure: 'messagesUnnamed', max: 0 },
    { figure: 'eventMaxMs', max: 500 },
  ],
  rounds: 3,
  span: { seconds: 10 },
  async measure(side, span) {
    const server = await startServer(side.server)
    const load = await startRoomLoad(server, busyRooms, busyRooms * 12.5)
    await Bun.sleep(span.warmSeconds * 1000)
    load.latency.clear()
    await Bun.sleep(span.seconds * 1000)
    await load.stop()
    await server.stop()
    const ms = (share: number) => load.latency.percentile(share) / 1000
    return {
      roomsNamed: load.named(),
      messagesUnnamed: load.unnamed(),
      eventP50Ms: ms(0.5),
      eventP99Ms: ms(0.99),
      eventMaxMs: load.latency.max() / 1000,
    }
  },
}
