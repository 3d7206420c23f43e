import { readFileSync } from 'node:fs'
import { type Connection, hangUp } from '../load/connection.ts'
import { createHistogram } from '../load/histogram.ts'
import { residentKib } from '../load/process-figures.ts'
import { createRequester } from '../load/requester.ts'
import { createTraffic, type Traffic } from '../load/traffic.ts'
import { connectAll, measureTraffic, type Span } from '../load/window.ts'
import { type Server, startServer } from '../servers/server.ts'
import { bare, bus, type Figures, lossless, type Scenario, type Side } from './scenario.ts'

/** Many connections, all in one channel, each of which receives every message. */

const largest = Math.min(19_000, connectionsAllowed())
const shape = { bytes: 250, filling: 'text', ack: false } as const

export const connections5000: Scenario = {
  name: 'crowd-5000',
  title: '5,000 connections, all joined, 10 messages per second to all',
  sides: [bus, bare],
  targets: [{ figure: 'p99Ms', max: 25 }, { figure: 'memoryPerConnectionKib', max: 8 }, ...lossless],
  rounds: 3,
  span: { seconds: 10 },
  measure: (side, span) => measureCrowd({ side, span, count: 5000, perSecond: 10 }),
}

export const connections19000: Scenario = {
  name: 'crowd-19000',
  title: '19,000 connections on one node (or what the open files allow), all served',
  sides: [bus],
  targets: [{ figure: 'connections', min: largest }, { figure: 'commandMaxMs', max: 100 }, ...lossless],
  rounds: 1,
  span: { warmSeconds: 1, seconds: 6 },
  measure: (side, span) => measureCrowd({ side, span, count: largest, perSecond: 1, more: measureCommands }),
}

interface Crowd {
  side: Side
  span: Span
  count: number
  perSecond: number
  /** Measures further figures after the traffic, while all are connected. */
  more?: (connections: readonly Connection[]) => Promise<Figures>
}

/** Connects a crowd to a fresh server and measures traffic to all of it. */
async function measureCrowd({ side, span, count, perSecond, more }: Crowd): Promise<Figures> {
  const server = await startServer(side.server)
  await rehearse(server)
  const traffic = trafficTo(count, server.positions, perSecond)
  const before = residentKib(server.pid)
  const startNs = Bun.nanoseconds()
  const connections = await connectAll(server, count, traffic)
  const connectSeconds = (Bun.nanoseconds() - startNs) / 1e9
  await Bun.sleep(2000)
  const joined = residentKib(server.pid)
  const figures = await measureTraffic(server, traffic, connections, span)
  const loaded = residentKib(server.pid)
  const added = await more?.(connections)
  await server.stop()
  return {
    ...added,
    ...figures,
    memoryPerConnectionKib: (joined - before) / count,
    memoryPerConnectionLoadedKib: (loaded - before) / count,
    connectionsPerSecond: count / connectSeconds,
  }
}

/** The latency of commands among many connections, and how many of these are open at the end. */
async function measureCommands(connections: readonly Connection[]): Promise<Figures> {
  const latency = createHistogram()
  for (let turn = 0; turn < 200; turn++) {
    const requester = createRequester(connections[(turn * 97) % connections.length]!)
    const { tookUs } = await requester.request(...commands[turn % commands.length]!)
    latency.record(tookUs)
  }
  return {
    connections: connections.filter((connection) => connection.closeCode === null).length,
    commandP99Ms: latency.percentile(0.99) / 1000,
    commandMaxMs: latency.max() / 1000,
  }
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
  await hangUp(await connectAll(server, 300, trafficTo(300, false, 1)))
  await Bun.sleep(1000)
}

function trafficTo(count: number, positions: boolean, perSecond: number): Traffic {
  return createTraffic({ shape, publishers: 1, positions, pace: { kind: 'rate', perSecond } }, count)
}

/** The limit of open files applies to the server and to the load; some descriptors are reserved for other uses. */
function connectionsAllowed(): number {
  const line = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
  return line === null || line[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(line[1]) - 300
}
