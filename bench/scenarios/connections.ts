import { readFileSync } from 'node:fs'
import { hangUp } from '../load/connection.ts'
import { createHistogram } from '../load/histogram.ts'
import { residentKib } from '../load/process-figures.ts'
import { createRequester } from '../load/requester.ts'
import { createTraffic } from '../load/traffic.ts'
import { connectAll, measureTraffic } from '../load/window.ts'
import { type Server, startServer } from '../servers/server.ts'
import { bare, bus, lossless, type Scenario } from './scenario.ts'

/** Many connections, all in one channel, each of which receives every message. */

const shape = { bytes: 250, filling: 'text', ack: false } as const

export const connections5000: Scenario = {
  name: 'crowd-5000',
  title: '5,000 connections, all joined, 10 messages per second to all',
  sides: [bus, bare],
  targets: [{ figure: 'p99Ms', max: 25 }, { figure: 'memoryPerConnectionKib', max: 8 }, ...lossless],
  rounds: 3,
  span: { seconds: 10 },
  async measure(side, span) {
    const count = 5000
    const server = await startServer(side.server)
    await rehearse(server)
    const traffic = createTraffic(
      { shape, publishers: 1, positions: server.positions, pace: { kind: 'rate', perSecond: 10 } },
      count,
    )
    const before = residentKib(server.pid)
    const startNs = Bun.nanoseconds()
    const connections = await connectAll(server, count, traffic)
    const connectSeconds = (Bun.nanoseconds() - startNs) / 1e9
    await Bun.sleep(2000)
    const joined = residentKib(server.pid)
    const figures = await measureTraffic(server, traffic, connections, span)
    const loaded = residentKib(server.pid)
    await server.stop()
    return {
      ...figures,
      memoryPerConnectionKib: (joined - before) / count,
      memoryPerConnectionLoadedKib: (loaded - before) / count,
      connectionsPerSecond: count / connectSeconds,
    }
  },
}

export const connections19000: Scenario = {
  name: 'crowd-19000',
  title: '19,000 connections on one node (or what the open files allow), all served',
  sides: [bus],
  targets: [
    { figure: 'connections', min: Math.min(19_000, connectionsAllowed()) },
    { figure: 'commandMaxMs', max: 100 },
    ...lossless,
  ],
  rounds: 1,
  span: { warmSeconds: 1, seconds: 6 },
  async measure(side, span) {
    const count = Math.min(19_000, connectionsAllowed())
    const server = await startServer(side.server)
    await rehearse(server)
    const traffic = createTraffic(
      { shape, publishers: 1, positions: server.positions, pace: { kind: 'rate', perSecond: 1 } },
      count,
    )
    const before = residentKib(server.pid)
    const connections = await connectAll(server, count, traffic)
    await Bun.sleep(2000)
    const memoryPerConnectionKib = (residentKib(server.pid) - before) / count
    const figures = await measureTraffic(server, traffic, connections, span)
    const latency = createHistogram()
    const { length: kinds } = commands
    for (let turn = 0; turn < 200; turn++) {
      const requester = createRequester(connections[(turn * 97) % count]!)
      const { tookUs } = await requester.request(...commands[turn % kinds]!)
      latency.record(tookUs)
    }
    const open = connections.filter((connection) => connection.closeCode === null)
    await server.stop()
    return {
      connections: open.length,
      commandP99Ms: latency.percentile(0.99) / 1000,
      commandMaxMs: latency.max() / 1000,
      memoryPerConnectionKib,
      ...figures,
    }
  },
}

/** The commands that a client sends after joining a bus with many clients. */
const commands: [string, object][] = [
  ['ping', {}],
  ['channel_info', { channel: 'bench:main' }],
  ['status', {}],
  ['list_clients', {}],
]

/** Opens and closes connections before memory is read, so that the memory for code is not counted for them. */
async function rehearse(server: Server): Promise<void> {
  const traffic = createTraffic({ shape, publishers: 1, positions: false, pace: { kind: 'rate', perSecond: 1 } }, 300)
  await hangUp(await connectAll(server, 300, traffic))
  await Bun.sleep(1000)
}

/** The limit of open files applies to the server and to the load; some descriptors are reserved for other uses. */
function connectionsAllowed(): number {
  const line = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
  return line === null || line[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(line[1]) - 300
}
