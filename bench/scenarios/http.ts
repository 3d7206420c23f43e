import { connect, connectMany, hangUp } from '../load/connection.ts'
import type { ProbeResult } from '../load/latency-probe.ts'
import { createTraffic } from '../load/traffic.ts'
import { connectAll, openWindow } from '../load/window.ts'
import { loadCore, onCore, type Server, startServer } from '../servers/server.ts'
import { bus, type Scenario } from './scenario.ts'

/**
 * Whether the endpoints respond while the bus is busy: half of the requests under full load, half during a connection
 * storm.
 */
const requests = 10_000
const stormOf = 5000

export const http: Scenario = {
  name: 'http',
  title: '10,000 requests to /health and /metrics across full load and a storm of 5,000 connections',
  sides: [bus],
  targets: [
    { figure: 'okWithinASecondPercent', min: 99.9 },
    { figure: 'fullLoadMaxMs', max: 100 },
  ],
  rounds: 1,
  async measure(side, span) {
    const server = await startServer(side.server)
    const fullLoad = await underFullLoad(server, span.warmSeconds)
    const storm = await underStorm(server)
    await server.stop()
    for (const failure of [...fullLoad.probed.failures, ...storm.probed.failures]) console.error(failure)
    return {
      okWithinASecondPercent: ((fullLoad.probed.good + storm.probed.good) / requests) * 100,
      fullLoadP99Ms: percentile(fullLoad.probed.tookMs, 0.99),
      fullLoadMaxMs: percentile(fullLoad.probed.tookMs, 1),
      stormP99Ms: percentile(storm.probed.tookMs, 0.99),
      stormMaxMs: percentile(storm.probed.tookMs, 1),
      stormConnections: storm.connections,
      serverBusyPercent: fullLoad.serverBusyPercent,
    }
  },
}

async function underFullLoad(server: Server, warmSeconds: number) {
  const traffic = createTraffic(
    {
      shape: { bytes: 250, filling: 'text', ack: false },
      pace: { kind: 'own-delivery', inFlight: 2 },
      publishers: 10,
      positions: server.positions,
    },
    100,
  )
  const connections = await connectAll(server, 100, traffic)
  traffic.start(connections)
  await Bun.sleep(warmSeconds * 1000)
  const window = openWindow(server, traffic)
  const probed = await probe(server, requests / 2)
  const { serverBusyPercent } = window.close()
  traffic.stop()
  await hangUp(connections)
  return { probed, serverBusyPercent }
}

/** Connections are opened as fast as the server accepts them, closed, and opened again until all requests are done. */
async function underStorm(server: Server) {
  let done = false
  let connections = 0
  const probing = probe(server, requests / 2).finally(() => {
    done = true
  })
  while (!done) {
    // A new id for each, because the server may not have noticed the end of the previous connection.
    const wave = await connectMany(stormOf, 256, (index) =>
      connect(server.endpoint, index, `storm-${connections + index}`, { text: () => {} }),
    )
    connections += wave.length
    await hangUp(wave)
  }
  return { probed: await probing, connections }
}

async function probe(server: Server, count: number): Promise<ProbeResult> {
  const program = new URL('../load/latency-probe.ts', import.meta.url).pathname
  const child = Bun.spawn(onCore(loadCore, [process.execPath, program, server.httpUrl!, String(count)]), {
    stdout: 'pipe',
    stderr: 'inherit',
  })
  return JSON.parse(await new Response(child.stdout).text())
}

function percentile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]!
}
