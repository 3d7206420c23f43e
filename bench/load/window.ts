import type { Server } from '../servers/server.ts'
import { type Connection, connect, connectMany } from './connection.ts'
import type { Audit } from './ledger.ts'
import { clientIdOf } from './message.ts'
import { cpuNanoseconds } from './process-figures.ts'
import type { Traffic } from './traffic.ts'

/** The duration of the warm-up, and of the measurement. */
export interface Span {
  warmSeconds: number
  seconds: number
}

/** The figures of a measured window of traffic. */
export interface WindowFigures {
  cpuPerDeliveryUs: number
  deliveriesPerSecond: number
  p50Ms: number
  p99Ms: number
  p999Ms: number
  /** The share of its core that each side used: the one near 100 was the bottleneck. */
  serverBusyPercent: number
  loadBusyPercent: number
}

/** The window, and the audit of all traffic since the start. */
export type TrafficFigures = WindowFigures & Audit & { surprises: number }

/** Connects `count` clients, all joined, a few hundred at a time. */
export function connectAll(server: Server, count: number, traffic: Pick<Traffic, 'listener'>): Promise<Connection[]> {
  return connectMany(count, 256, (index) => connect(server.endpoint, index, clientIdOf(index), traffic.listener))
}

/** Runs traffic over the connections, measures a window of it, waits for outstanding deliveries, and audits all. */
export async function measureTraffic(
  server: Server,
  traffic: Traffic,
  connections: readonly Connection[],
  span: Span,
): Promise<TrafficFigures> {
  traffic.start(connections)
  await Bun.sleep(span.warmSeconds * 1000)
  const window = openWindow(server, traffic)
  await Bun.sleep(span.seconds * 1000)
  const figures = window.close()
  traffic.stop()
  await arrival(traffic, connections.length)
  if (traffic.surprises.length > 0) console.error(`unexpected frames:\n${traffic.surprises.join('\n')}`)
  return { ...figures, ...traffic.ledger.audit(traffic.sent()), surprises: traffic.surprises.length }
}

/** Starts counting and timing deliveries. */
export function openWindow(server: Server, traffic: Traffic): { close(): WindowFigures } {
  traffic.latency.clear()
  const reading = () => ({
    atNs: Bun.nanoseconds(),
    serverNs: cpuNanoseconds(server.pid),
    loadNs: busyNs(traffic),
    deliveries: traffic.ledger.total(),
  })
  const start = reading()

  return {
    close() {
      const end = reading()
      const elapsedNs = end.atNs - start.atNs
      const serverNs = end.serverNs - start.serverNs
      const deliveries = end.deliveries - start.deliveries
      const ms = (share: number) => traffic.latency.percentile(share) / 1000
      return {
        cpuPerDeliveryUs: serverNs / deliveries / 1000,
        deliveriesPerSecond: (deliveries / elapsedNs) * 1e9,
        p50Ms: ms(0.5),
        p99Ms: ms(0.99),
        p999Ms: ms(0.999),
        serverBusyPercent: (serverNs / elapsedNs) * 100,
        loadBusyPercent: ((end.loadNs - start.loadNs) / elapsedNs) * 100,
      }
    },
  }
}

/**
 * The time in which the load worked. A load that spins between messages uses its core all the time, so its idle turns
 * are subtracted.
 */
function busyNs(traffic: Traffic): number {
  const idleNs = traffic.idleNs()
  return idleNs === undefined ? cpuNanoseconds(process.pid) : Bun.nanoseconds() - idleNs
}

/** Waits until every subscriber has every message, or until two seconds pass without one: missing messages are lost. */
async function arrival(traffic: Traffic, subscribers: number): Promise<void> {
  const all = traffic.sent().reduce((sum, sent) => sum + sent, 0) * subscribers
  for (let seen = -1, quietMs = 0; traffic.ledger.total() < all && quietMs < 2000; quietMs += 10) {
    if (traffic.ledger.total() !== seen) quietMs = 0
    seen = traffic.ledger.total()
    await Bun.sleep(10)
  }
}
