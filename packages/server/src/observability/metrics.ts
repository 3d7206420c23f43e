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
import { zeros } from '../kit/zeros.ts'
import { createHistogram, type Histogram, histogramSamples, observe, type Sample } from './histogram.ts'
import {
  type AuthFailureReason,
  appendOutcomes,
  authFailureReasons,
  breakReasons,
  connectOutcomes,
  type ExpiryReason,
  expiryReasons,
  type LimitName,
  limitNames,
  type RefusalReason,
  recoveryOutcomes,
  refusalReasons,
  telemetryDropReasons,
  telemetryTypes,
  type WebhookDropReason,
  webhookDropReasons,
  webhookOutcomes,
} from './metric-labels.ts'
import {
  buildInfo,
  commandCounter,
  counters,
  type GaugeName,
  gauges,
  histograms,
  httpCounter,
  labelled,
  processMetrics,
} from './metric-table.ts'
import { RefusalWindow } from './refusal-window.ts'

/** What a gauge reads: a number, or one for each value of its label. */
export type GaugeReading = number | Readonly<Record<string, number>>

/** The counters of one bus. Fields are for `metrics.received++` and `metrics.delivered += n`. */
export type Metrics = ReturnType<typeof createMetrics>

/** What metrics need to know: the names of the commands there are, and the clock (milliseconds that never go back). */
type MetricsOptions = { commands?: Iterable<string>; now?: () => number }

/** Creates the metrics of one bus, on a registry of its own. */
export function createMetrics(options: MetricsOptions = {}) {
  const { commands = Object.keys(protocolCommands), now = () => performance.now() } = options
  const startedAt = now()
  const counts = createTallies()
  const durations = createHistograms()
  const byHttp = new Map<string, number>()
  const byCommand = new Map<string, CommandTally>()
  for (const name of [...commands, UNKNOWN]) {
    byCommand.set(name, { success: 0, error: 0, seconds: createHistogram(histograms.commandSeconds.bounds) })
  }

  const refusals = new RefusalWindow()
  let largestLag = 0

  const registry = new Registry()
  const register = (type: MetricType, { name, help }: { name: string; help: string }, read: () => Sample[]) =>
    // prom-client asks a metric for nothing but its name and `get`: its own kinds would keep a second copy of every
    // number.
    registry.registerMetric({
      name,
      help,
      type,
      get: async () => ({ name, help, type, values: read() }),
    } as unknown as Metric)

  const metrics = {
    ...zeros(keysOf(counters)),
    /** A frame of a client was refused. */
    reject(code: ErrorCode, clientId: string): void {
      add(counts.rejected, code, 1)
      refusals.add(code, clientId)
    },
    /** The frames refused in the last 15 minutes. */
    refusals,
    /** How many frames were refused since the start. */
    rejectedCount: (): number => counts.rejected.values().reduce((sum, count) => sum + count, 0),
    /** A command was answered. A name that is no command's counts as `unknown`. */
    command(name: string, ok: boolean, seconds: number): void {
      const entry = byCommand.get(name) ?? byCommand.get(UNKNOWN)!
      entry[ok ? 'success' : 'error']++
      observe(entry.seconds, seconds)
    },
    /**
     * A message went from its frame to its sockets in this time. Call it for a sample: reading the clock costs more
     * than counting.
     */
    routed: (seconds: number): void => observe(durations.routingSeconds, seconds),
    /** A limit was reached. */
    limit: (name: LimitName): void => add(counts.limits, name, 1),
    /** A stream was refused with an event that says when to reconnect. */
    streamRefused: (code: ErrorCode): void => add(counts.streamsRefused, code, 1),
    /** A token was refused. */
    authFailed: (reason: AuthFailureReason): void => add(counts.authFailures, reason, 1),
    /** A connection was refused. */
    refuseConnection: (reason: RefusalReason): void => add(counts.refused, reason, 1),
    /** Messages left the history. */
    expire(reason: ExpiryReason, count = 1): void {
      counts.expired[reason] += count
    },
    /** What the logs said of messages: counted by the hot path, as `metrics.appends.appended++`. */
    appends: counts.appends,
    /** A telemetry event was sent; `other` is for clients' types. */
    telemetryEvent: (type: string): void => add(counts.telemetryEvents, type, 1),
    /** Telemetry events were not sent. */
    telemetryDropped: (reason: (typeof telemetryDropReasons)[number], count = 1): void =>
      add(counts.telemetryDropped, reason, count),
    /** A request to the receiver of a webhook has ended. */
    webhookRequest: (outcome: (typeof webhookOutcomes)[number]): void => add(counts.webhookRequests, outcome, 1),
    /** Events were not delivered to a webhook, and will not be. */
    webhookEventsDropped: (reason: WebhookDropReason, count: number): void => add(counts.webhookDropped, reason, count),
    /** The external log has answered a call. */
    appended: (seconds: number): void => observe(durations.appendSeconds, seconds),
    /** Redis has answered a PING. */
    pinged: (seconds: number): void => observe(durations.pingSeconds, seconds),
    /** A try to connect to Redis has ended. */
    storageConnect: (outcome: (typeof connectOutcomes)[number]): void => add(counts.storageConnects, outcome, 1),
    /** A client asked to go on in a log; `missed` where it can. */
    recovery(outcome: (typeof recoveryOutcomes)[number], missed?: number): void {
      add(counts.recoveries, outcome, 1)
      if (missed !== undefined) observe(durations.recoveryMessages, missed)
    },
    /** A log went on from elsewhere. */
    broke: (reason: (typeof breakReasons)[number]): void => add(counts.breaks, reason, 1),
    /** The bus has closed a connection. */
    closed: (name: CloseName): void => add(counts.closed, name, 1),
    /** The times of calls of the external log. */
    appendSeconds: durations.appendSeconds,
    /** A timer fired this much too late. */
    loopLag(seconds: number): void {
      observe(durations.loopLagSeconds, seconds)
      largestLag = Math.max(largestLag, seconds)
    },
    /** The largest delay of a timer since the last call, in seconds. */
    takeLargestLag(): number {
      const taken = largestLag
      largestLag = 0
      return taken
    },
    /**
     * An HTTP request was answered. `route` and `status` must come from tables of ours; a method that is not in one
     * counts as `other`.
     */
    httpRequest: (method: string, route: string, status: number): void =>
      add(byHttp, `${httpMethods.has(method) ? method : 'other'} ${route} ${status}`, 1),
    /** Supplies a gauge; its value is read when `/metrics` is asked for. Without a supplier it is absent. */
    gauge(name: GaugeName, read: () => GaugeReading): void {
      const declaration: { name: string; help: string; label?: string; type?: MetricType } = gauges[name]
      register(declaration.type ?? 'gauge', declaration, () => gaugeSamples(declaration, read()))
    },
    /** Everything in the text format of Prometheus. */
    render: (): Promise<string> => registry.metrics(),
    contentType: registry.contentType,
  }

  for (const field of keysOf(counters)) {
    register('counter', counters[field], () => [{ labels: {}, value: metrics[field] }])
  }
  for (const field of keysOf(labelled)) {
    register('counter', labelled[field], () => tallySamples(labelled[field].label, counts[field]))
  }
  register('counter', commandCounter, () => [...byCommand].flatMap(commandSamples))
  const { commandSeconds, ...others } = histograms
  register('histogram', commandSeconds, () => [...byCommand].flatMap(commandHistogram))
  for (const field of keysOf(others)) {
    register('histogram', histograms[field], () => histogramSamples(histograms[field].name, durations[field], {}))
  }
  register('counter', httpCounter, () => [...byHttp].map(httpSample))
  const ofProcess = { ...processReadings, uptime: () => (now() - startedAt) / 1000 }
  for (const field of keysOf(processMetrics)) {
    register(processMetrics[field].type, processMetrics[field], () => [{ labels: {}, value: ofProcess[field]() }])
  }
  register('gauge', buildInfo, () => [{ labels: buildLabels(), value: 1 }])
  return metrics
}

const keysOf = <Name extends string>(table: Readonly<Record<Name, unknown>>): Name[] => Object.keys(table) as Name[]

/** Methods of HTTP that some route has. */
const httpMethods = new Set(['GET', 'HEAD', 'POST', 'OPTIONS'])

/** Where commands that do not exist are counted: their names come from clients and must not become labels. */
const UNKNOWN = 'unknown'

type MetricType = 'counter' | 'gauge' | 'histogram'
type CommandTally = { success: number; error: number; seconds: Histogram }

type Tally = Map<string, number> | Readonly<Record<string, number>>

/** A count for each value of the label of each counter that has one; records where the hot path counts. */
const createTallies = () =>
  ({
    appends: zeros(appendOutcomes),
    recoveries: tally(recoveryOutcomes),
    breaks: tally(breakReasons),
    authFailures: tally(authFailureReasons),
    closed: tally(Object.keys(closeCodes)),
    storageConnects: tally(connectOutcomes),
    rejected: tally(Object.keys(errorCodes)),
    streamsRefused: tally(Object.keys(errorCodes)),
    refused: tally(refusalReasons),
    expired: zeros(expiryReasons),
    limits: tally(limitNames),
    telemetryEvents: tally(telemetryTypes),
    telemetryDropped: tally(telemetryDropReasons),
    webhookRequests: tally(webhookOutcomes),
    webhookDropped: tally(webhookDropReasons),
  }) satisfies Record<keyof typeof labelled, Tally>

const createHistograms = () =>
  Object.fromEntries(Object.entries(histograms).map(([name, { bounds }]) => [name, createHistogram(bounds)])) as Record<
    keyof typeof histograms,
    Histogram
  >

const tally = (names: readonly string[]): Map<string, number> => new Map(names.map((name) => [name, 0]))

function add(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count)
}

const tallySamples = (label: string, counts: Tally): Sample[] =>
  [...(counts instanceof Map ? counts : Object.entries(counts))].map(([name, value]) => ({
    labels: { [label]: name },
    value,
  }))

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

/** The resident memory of this process, in bytes. */
export const residentBytes = (): number => memoryUsage().rss

const processReadings: Readonly<Record<Exclude<keyof typeof processMetrics, 'uptime'>, () => number>> = {
  resident: residentBytes,
  heap: () => memoryUsage().heapUsed,
  cpu() {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  },
}

function buildLabels(): Record<string, string> {
  const { version, build } = versionInfo
  return { version, runtime: build.runtime, commit: build.commit ?? '' }
}
