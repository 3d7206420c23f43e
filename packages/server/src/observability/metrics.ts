/**
 * What the bus counts. The hot path increments plain numbers; prom-client sees them only on a request for `/metrics`.
 * The declarations are in `metric-table.ts`.
 */
import {
  type CloseName,
  closeCodes,
  type ErrorCode,
  errorCodes,
  commands as protocolCommands,
} from '@arqonbus/protocol'
import { type Metric, Registry } from 'prom-client'
import { versionInfo } from '../kit/version.ts'
import { createHistogram, type Histogram, histogramSamples, observe, type Sample } from './histogram.ts'
import {
  type AppendOutcome,
  appendOutcomes,
  type BreakReason,
  breakReasons,
  type ConnectOutcome,
  connectOutcomes,
  type ExpiryReason,
  expiryReasons,
  type LimitName,
  limitNames,
  type RecoveryOutcome,
  type RefusalReason,
  recoveryOutcomes,
  refusalReasons,
  type TelemetryDropReason,
  telemetryDropReasons,
  telemetryTypes,
} from './metric-labels.ts'
import {
  buildInfo,
  type CounterField,
  commandCounter,
  counters,
  type GaugeName,
  gauges,
  histograms,
  httpCounter,
  labelled,
  processMetrics,
} from './metric-table.ts'

/** What a gauge reads: a number, or one for each value of its label. */
export type GaugeReading = number | Readonly<Record<string, number>>

/** The counters of one bus. Fields are for `metrics.received++` and `metrics.delivered += n`. */
export type Metrics = Record<CounterField, number> & {
  /** A frame was refused. */
  reject(code: ErrorCode): void
  /** A command was answered. A name that is no command's counts as `unknown`. */
  command(name: string, ok: boolean, seconds: number): void
  /** A message went from its frame to its sockets in this time. Call it for a sample: reading the clock costs more than counting. */
  routed(seconds: number): void
  /** A limit was reached. */
  limit(name: LimitName): void
  /** A connection was refused. */
  refuseConnection(reason: RefusalReason): void
  /** Messages left the history. */
  expire(reason: ExpiryReason, count?: number): void
  /** What the logs said of messages: counted by the hot path, as `metrics.appends.appended++`. */
  readonly appends: Record<AppendOutcome, number>
  /** A telemetry event was sent; `other` is for clients' types. */
  telemetryEvent(type: string): void
  /** Telemetry events were not sent. */
  telemetryDropped(reason: TelemetryDropReason, count?: number): void
  /** The external log has answered a call. */
  appended(seconds: number): void
  /** Redis has answered a PING. */
  pinged(seconds: number): void
  /** A try to connect to Redis has ended. */
  storageConnect(outcome: ConnectOutcome): void
  /** A client asked to go on in a log; `missed` where it can. */
  recovery(outcome: RecoveryOutcome, missed?: number): void
  /** A log went on from elsewhere. */
  broke(reason: BreakReason): void
  /** The bus has closed a connection. */
  closed(name: CloseName): void
  /** A timer fired this much too late. */
  loopLag(seconds: number): void
  /** An HTTP request was answered. `route` and `status` must come from tables of ours; a method that is not in one counts as `other`. */
  httpRequest(method: string, route: string, status: number): void
  /** Supplies a gauge; its value is read when `/metrics` is asked for. Without a supplier it is absent. */
  gauge(name: GaugeName, read: () => GaugeReading): void
  /** Everything in the text format of Prometheus. */
  render(): Promise<string>
  readonly contentType: string
}

/** What metrics need to know: the names of the commands there are, and the clock (milliseconds that never go back). */
export type MetricsOptions = { commands?: Iterable<string>; now?: () => number }

/** Creates the metrics of one bus, on a registry of its own. */
export function createMetrics(options: MetricsOptions = {}): Metrics {
  const { commands = Object.keys(protocolCommands), now = () => performance.now() } = options
  const startedAt = now()
  const byCode = tally(Object.keys(errorCodes))
  const byRefusal = tally(refusalReasons)
  // A record, for from a full log one leaves with each message that comes.
  const byExpiry = Object.fromEntries(expiryReasons.map((reason) => [reason, 0])) as Record<ExpiryReason, number>
  const byLimit = tally(limitNames)
  const byRecovery = tally(recoveryOutcomes)
  const byBreak = tally(breakReasons)
  const byClose = tally(Object.keys(closeCodes))
  const byConnect = tally(connectOutcomes)
  const byTelemetryType = tally(telemetryTypes)
  const byTelemetryDrop = tally(telemetryDropReasons)
  const byHttp = new Map<string, number>()
  const byCommand = new Map<string, CommandTally>()
  for (const name of [...commands, UNKNOWN]) {
    byCommand.set(name, { success: 0, error: 0, seconds: createHistogram(histograms.commandSeconds.bounds) })
  }
  const routing = createHistogram(histograms.routingSeconds.bounds)
  const appending = createHistogram(histograms.appendSeconds.bounds)
  const pings = createHistogram(histograms.pingSeconds.bounds)
  const recoveries = createHistogram(histograms.recoveryMessages.bounds)
  const lag = createHistogram(histograms.loopLagSeconds.bounds)

  const registry = new Registry()
  const register = (type: MetricType, { name, help }: { name: string; help: string }, read: () => Sample[]) =>
    // prom-client asks a metric for nothing but its name and `get`: its own kinds would keep a second copy of every number.
    registry.registerMetric({
      name,
      help,
      type,
      get: async () => ({ name, help, type, values: read() }),
    } as unknown as Metric)

  const metrics: Metrics = {
    connected: 0,
    received: 0,
    delivered: 0,
    replayed: 0,
    bytesIn: 0,
    bytesOut: 0,
    violations: 0,
    slowFallbacks: 0,
    slowClosed: 0,
    publishersPaused: 0,
    storageDegraded: 0,
    tracesExported: 0,
    tracesDropped: 0,
    reject: (code) => add(byCode, code, 1),
    command: (name, ok, seconds) => {
      const entry = byCommand.get(name) ?? byCommand.get(UNKNOWN)!
      entry[ok ? 'success' : 'error']++
      observe(entry.seconds, seconds)
    },
    routed: (seconds) => observe(routing, seconds),
    limit: (name) => add(byLimit, name, 1),
    refuseConnection: (reason) => add(byRefusal, reason, 1),
    expire: (reason, count = 1) => {
      byExpiry[reason] += count
    },
    appends: { appended: 0, duplicate: 0, held: 0, refused: 0 },
    telemetryEvent: (type) => add(byTelemetryType, type, 1),
    telemetryDropped: (reason, count = 1) => add(byTelemetryDrop, reason, count),
    appended: (seconds) => observe(appending, seconds),
    pinged: (seconds) => observe(pings, seconds),
    storageConnect: (outcome) => add(byConnect, outcome, 1),
    recovery: (outcome, missed) => {
      add(byRecovery, outcome, 1)
      if (missed !== undefined) observe(recoveries, missed)
    },
    broke: (reason) => add(byBreak, reason, 1),
    closed: (name) => add(byClose, name, 1),
    loopLag: (seconds) => observe(lag, seconds),
    httpRequest: (method, route, status) =>
      add(byHttp, `${httpMethods.has(method) ? method : 'other'} ${route} ${status}`, 1),
    gauge: (name, read) => {
      const declaration: { name: string; help: string; label?: string; type?: MetricType } = gauges[name]
      register(declaration.type ?? 'gauge', declaration, () => gaugeSamples(declaration, read()))
    },
    render: () => registry.metrics(),
    contentType: registry.contentType,
  }

  for (const field of Object.keys(counters) as CounterField[]) {
    register('counter', counters[field], () => [{ labels: {}, value: metrics[field] }])
  }
  register('counter', labelled.appends, () =>
    appendOutcomes.map((outcome) => ({ labels: { outcome }, value: metrics.appends[outcome] })),
  )
  register('counter', labelled.recoveries, () => tallySamples(labelled.recoveries.label, byRecovery))
  register('counter', labelled.breaks, () => tallySamples(labelled.breaks.label, byBreak))
  register('counter', labelled.closed, () => tallySamples(labelled.closed.label, byClose))
  register('counter', labelled.storageConnects, () => tallySamples(labelled.storageConnects.label, byConnect))
  register('counter', labelled.rejected, () => tallySamples(labelled.rejected.label, byCode))
  register('counter', labelled.refused, () => tallySamples(labelled.refused.label, byRefusal))
  register('counter', labelled.expired, () => tallySamples(labelled.expired.label, Object.entries(byExpiry)))
  register('counter', labelled.limits, () => tallySamples(labelled.limits.label, byLimit))
  register('counter', labelled.telemetryEvents, () => tallySamples(labelled.telemetryEvents.label, byTelemetryType))
  register('counter', labelled.telemetryDropped, () => tallySamples(labelled.telemetryDropped.label, byTelemetryDrop))
  register('counter', commandCounter, () => [...byCommand].flatMap(commandSamples))
  register('histogram', histograms.commandSeconds, () => [...byCommand].flatMap(commandHistogram))
  register('histogram', histograms.routingSeconds, () => histogramSamples(histograms.routingSeconds.name, routing, {}))
  register('histogram', histograms.appendSeconds, () => histogramSamples(histograms.appendSeconds.name, appending, {}))
  register('histogram', histograms.pingSeconds, () => histogramSamples(histograms.pingSeconds.name, pings, {}))
  register('histogram', histograms.recoveryMessages, () =>
    histogramSamples(histograms.recoveryMessages.name, recoveries, {}),
  )
  register('histogram', histograms.loopLagSeconds, () => histogramSamples(histograms.loopLagSeconds.name, lag, {}))
  register('counter', httpCounter, () => [...byHttp].map(httpSample))
  register('gauge', processMetrics.uptime, () => [{ labels: {}, value: (now() - startedAt) / 1000 }])
  register('gauge', processMetrics.resident, () => [{ labels: {}, value: memoryUsage().rss }])
  register('gauge', processMetrics.heap, () => [{ labels: {}, value: memoryUsage().heapUsed }])
  register('counter', processMetrics.cpu, () => [{ labels: {}, value: cpuSeconds() }])
  register('gauge', buildInfo, () => [{ labels: buildLabels(), value: 1 }])
  return metrics
}

/** Methods of HTTP that some route has. */
const httpMethods = new Set(['GET', 'HEAD', 'POST', 'OPTIONS'])

/** Where commands that do not exist are counted: their names come from clients and must not become labels. */
const UNKNOWN = 'unknown'

type MetricType = 'counter' | 'gauge' | 'histogram'
type CommandTally = { success: number; error: number; seconds: Histogram }

const tally = (names: readonly string[]): Map<string, number> => new Map(names.map((name) => [name, 0]))

function add(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count)
}

const tallySamples = (label: string, counts: Iterable<[string, number]>): Sample[] =>
  [...counts].map(([name, value]) => ({ labels: { [label]: name }, value }))

function gaugeSamples(declaration: { name: string; label?: string }, reading: GaugeReading): Sample[] {
  if (typeof reading === 'number') return [{ labels: {}, value: reading }]
  return Object.entries(reading).map(([name, value]) => ({ labels: { [declaration.label ?? 'kind']: name }, value }))
}

const commandSamples = ([command, { success, error }]: [string, CommandTally]): Sample[] => [
  { labels: { command, status: 'success' }, value: success },
  { labels: { command, status: 'error' }, value: error },
]

const commandHistogram = ([command, { seconds }]: [string, CommandTally]): Sample[] =>
  histogramSamples(histograms.commandSeconds.name, seconds, { command })

function httpSample([key, value]: [string, number]): Sample {
  const [method = '', route = '', status = ''] = key.split(' ')
  return { labels: { method, route, status }, value }
}

let lastUsage: NodeJS.MemoryUsage = { rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 }

/** The memory of this process; what was known last where no descriptor is free to ask the system with. */
function memoryUsage(): NodeJS.MemoryUsage {
  try {
    lastUsage = process.memoryUsage()
  } catch {
    // At the limit of open files.
  }
  return lastUsage
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

function buildLabels(): Record<string, string> {
  const { version, build } = versionInfo
  return { version, runtime: build.runtime, commit: build.commit ?? '' }
}
