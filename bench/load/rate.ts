import type { Histogram } from './histogram.ts'
import { cpuNanoseconds } from './process-figures.ts'
import type { Span } from './window.ts'

/** A closed loop of acknowledged requests. */
export interface Acknowledging {
  readonly latency: Histogram
  stop(): void
  sent(): number
  acknowledged(): number
}

/** The processes beside the load; the bus is absent if Redis is measured alone. */
export interface Workers {
  server?: { pid: number }
  redis?: { pid: number }
}

/** The figures of a measured window. */
export type RateFigures = Record<string, number>

/** Measures a window of a running loop, stops the loop, and waits for the outstanding acknowledgements. */
export async function measureRate(loop: Acknowledging, { server, redis }: Workers, span: Span): Promise<RateFigures> {
  const cpuOf = (worker: { pid: number } | undefined) => (worker === undefined ? 0 : cpuNanoseconds(worker.pid))
  const reading = () => ({
    atNs: Bun.nanoseconds(),
    serverNs: cpuOf(server),
    redisNs: cpuOf(redis),
    loadNs: cpuNanoseconds(process.pid),
    acknowledged: loop.acknowledged(),
  })
  await Bun.sleep(span.warmSeconds * 1000)
  loop.latency.clear()
  const start = reading()
  await Bun.sleep(span.seconds * 1000)
  const end = reading()
  const ms = (share: number) => loop.latency.percentile(share) / 1000
  const figures = { p50Ms: ms(0.5), p99Ms: ms(0.99), p999Ms: ms(0.999) }
  loop.stop()
  await quiet(loop)

  const elapsedNs = end.atNs - start.atNs
  const acknowledged = end.acknowledged - start.acknowledged
  const serverNs = end.serverNs - start.serverNs
  const percent = (ns: number) => (ns / elapsedNs) * 100
  return {
    acknowledgedPerSecond: (acknowledged / elapsedNs) * 1e9,
    ...(server === undefined ? {} : { cpuPerPublishUs: serverNs / acknowledged / 1000 }),
    ...figures,
    ...(server === undefined ? {} : { serverBusyPercent: percent(serverNs) }),
    ...(redis === undefined ? {} : { redisBusyPercent: percent(end.redisNs - start.redisNs) }),
    loadBusyPercent: percent(end.loadNs - start.loadNs),
  }
}

/**
 * Waits until everything sent is acknowledged, or until two seconds pass without one: missing acknowledgements stay
 * missing.
 */
export async function quiet(loop: Pick<Acknowledging, 'sent' | 'acknowledged'>): Promise<void> {
  for (let seen = -1, quietMs = 0; loop.acknowledged() < loop.sent() && quietMs < 2000; quietMs += 5) {
    if (loop.acknowledged() !== seen) quietMs = 0
    seen = loop.acknowledged()
    await Bun.sleep(5)
  }
}
