/**
 * The names and formats of figures in the table. Figures with a target that are not listed here are shown under their
 * own name.
 */
export interface Shown {
  label: string
  decimals: number
}

const known: Record<string, Shown> = {
  eventNs: { label: 'a message, ns', decimals: 0 },
  acknowledgedNs: { label: 'a message with `ack`, ns', decimals: 0 },
  structureNs: { label: '16 KiB of structure, ns', decimals: 0 },
  cpuPerDeliveryUs: { label: 'server CPU per delivery, µs', decimals: 3 },
  deliveriesPerSecond: { label: 'deliveries a second', decimals: 0 },
  acknowledgedPerSecond: { label: 'acknowledged a second', decimals: 0 },
  cpuPerPublishUs: { label: 'server CPU per publish, µs', decimals: 2 },
  recoveredPerSecond: { label: 'messages recovered per second', decimals: 0 },
  firstRecoveredPerSecond: { label: 'the same, for the first recovery after the start', decimals: 0 },
  p50Ms: { label: 'latency p50, ms', decimals: 2 },
  p99Ms: { label: 'latency p99, ms', decimals: 2 },
  p999Ms: { label: 'latency p99.9, ms', decimals: 2 },
  memoryPerConnectionKib: { label: 'memory per connection, KiB', decimals: 2 },
  memoryPerConnectionLoadedKib: { label: 'the same after the load, KiB', decimals: 2 },
  residentMib: { label: 'server memory at the end, MiB', decimals: 0 },
  serverBusyPercent: { label: 'server busy, % of its core', decimals: 0 },
  redisBusyPercent: { label: 'Redis busy, % of its core', decimals: 0 },
  loadBusyPercent: { label: 'load busy, % of its core', decimals: 0 },
  idlePercent: { label: 'idle server, % of a core', decimals: 3 },
  withoutPercent: { label: 'the same without connections, % of a core', decimals: 3 },
  idleUsPerConnection: { label: 'CPU of an idle connection, µs per second', decimals: 2 },
  channels: { label: 'channels', decimals: 0 },
  connections: { label: 'connections open', decimals: 0 },
  connectionsPerSecond: { label: 'connections opened per second', decimals: 0 },
  commandP99Ms: { label: 'command p99, ms', decimals: 2 },
  commandMaxMs: { label: 'slowest command, ms', decimals: 2 },
  appendP99Ms: { label: 'append p99, ms', decimals: 4 },
  appendP999Ms: { label: 'append p99.9, ms', decimals: 4 },
  readP99Ms: { label: 'read of 50 p99, ms', decimals: 4 },
  readP999Ms: { label: 'read of 50 p99.9, ms', decimals: 4 },
  okWithinASecondPercent: { label: '200 within 1 s, %', decimals: 2 },
  fullLoadP99Ms: { label: 'response under full load p99, ms', decimals: 1 },
  fullLoadMaxMs: { label: 'slowest response under full load, ms', decimals: 1 },
  stormP99Ms: { label: 'response during the connection storm p99, ms', decimals: 1 },
  stormMaxMs: { label: 'slowest response during the connection storm, ms', decimals: 1 },
  stormConnections: { label: 'connections opened by the storm', decimals: 0 },
  eventP50Ms: { label: 'telemetry event p50, ms', decimals: 1 },
  eventP99Ms: { label: 'telemetry event p99, ms', decimals: 1 },
  eventMaxMs: { label: 'slowest telemetry event, ms', decimals: 1 },
  eventsMissing: { label: 'telemetry events missing', decimals: 0 },
  roomsNamed: { label: 'rooms named by telemetry', decimals: 0 },
  consolePercent: { label: 'cost of an open console for the server, % of a core', decimals: 2 },
  busyWithoutPercent: { label: 'server without it, % of a core', decimals: 2 },
  framesPerSecond: { label: 'frames per second of the page', decimals: 1 },
  longestFrameMs: { label: 'longest frame, ms', decimals: 0 },
  pageBehindMs: { label: 'delay of the page behind the publisher, ms', decimals: 0 },
  firstViewMs: { label: 'first view, ms', decimals: 0 },
  grownMib: { label: 'growth of server memory, MiB', decimals: 0 },
  slowReaderClosed: { label: 'times the slow reader was closed', decimals: 0 },
}

export function shownAs(figure: string): Shown {
  return known[figure] ?? { label: figure.replace(/Ms$/, ', ms'), decimals: 2 }
}

export function written(figure: string, value: number | undefined): string {
  if (value === undefined) return ''
  const { decimals } = shownAs(figure)
  return value.toLocaleString('en-US', {
    minimumFractionDigits: Number.isInteger(value) ? 0 : decimals,
    maximumFractionDigits: decimals,
  })
}
