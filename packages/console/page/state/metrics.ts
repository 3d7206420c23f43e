/** Loads `/metrics` and `/health` once a second, and keeps the figures of the last minutes. */
import { signal } from '@preact/signals'
import { type Buckets, percentileBetween, type Reading, readMetrics } from '../kit/prometheus.ts'
import { wire } from '../wire.ts'

/** The time span of the plots, in seconds. */
export const SPAN_SECONDS = 300
/** Percentiles are computed over this many seconds: one second has too few values. */
const WINDOW = 5
const EVERY_MS = 1000

/** The plotted data: a list of times in seconds, and a list of values for each line. */
export type Series = { readonly times: number[]; readonly lines: Readonly<Record<Line, (number | null)[]>> }

const percentiles = [0.5, 0.95, 0.99] as const
const histograms = {
  routing: 'arqonbus_routing_duration_seconds',
  command: 'arqonbus_command_duration_seconds',
  lag: 'arqonbus_event_loop_lag_seconds',
} as const

type Percentile = `${keyof typeof histograms} p${50 | 95 | 99}`
type Line = 'in' | 'out' | Percentile | (typeof wire.clientTypes)[number]

/** The figures of the server at one moment. */
export type Figures = {
  readonly connections: number
  readonly rooms: number
  readonly channels: number
  readonly subscriptions: number
  readonly behind: number
  readonly queueBytes: number
  readonly historyBytes: number
  readonly historyEntries: number
  readonly queuedMessages: number
  readonly isStorageThere: boolean
  readonly residentBytes: number
  readonly cpuPercent: number | null
}

/** The last figures; undefined before the first. */
export const figures = signal<Figures | undefined>(undefined)
/** The content of `/health`. */
export const health = signal<{ readonly status: string; readonly uptime_seconds?: number } | undefined>(undefined)
/** Whether the HTTP port responds. */
export const isAnswering = signal(true)
/** Since when the bus is degraded. */
export const degradedSince = signal<number | undefined>(undefined)
/** Counts readings: the plots are drawn again when it changes. */
export const readings = signal(0)

/** The figures of the last minutes. */
export const series: Series = {
  times: [],
  lines: Object.fromEntries(
    [
      'in',
      'out',
      ...wire.clientTypes,
      ...Object.keys(histograms).flatMap((of) => percentiles.map((p) => `${of} p${p * 100}`)),
    ].map((name) => [name, []]),
  ) as unknown as Series['lines'],
}

/** `at` is in seconds. */
type Moment = { readonly at: number; readonly reading: Reading; readonly histograms: Readonly<Record<string, Buckets>> }
let moments: Moment[] = []

/** Starts loading the figures once a second. */
export function watchMetrics(): void {
  const again = async () => {
    const started = performance.now()
    await read()
    setTimeout(again, Math.max(100, EVERY_MS - (performance.now() - started)))
  }
  void again()
}

async function read(): Promise<void> {
  try {
    const signal = AbortSignal.timeout(5000)
    const [metrics, said] = await Promise.all([fetch('metrics', { signal }), fetch('health', { signal })])
    if (!metrics.ok) throw new Error(`HTTP ${metrics.status}`)
    const text = await metrics.text()
    health.value = await said.json()
    const reading = readMetrics(text)
    // The time of the server: a request that comes too soon gets the previous reading.
    take({ at: reading.sum('arqonbus_uptime_seconds') ?? performance.now() / 1000, reading })
    isAnswering.value = true
  } catch {
    isAnswering.value = false
    moments = []
    push(() => null)
  }
}

function take({ at, reading }: Pick<Moment, 'at' | 'reading'>): void {
  const buckets = Object.fromEntries(Object.entries(histograms).map(([of, name]) => [of, reading.histogram(name)]))
  const moment = { at, reading, histograms: buckets }
  const last = moments.at(-1)
  if (last?.at === at) return push(latest)
  const first = moments[0]
  moments = [...moments.slice(-WINDOW), moment]
  const seconds = last === undefined ? 0 : at - last.at
  const rate = (name: string): number | null => {
    const [before, after] = [last?.reading.sum(name), reading.sum(name)]
    const isKnown = before !== undefined && after !== undefined && after >= before && seconds > 0
    return isKnown ? (after - before) / seconds : null
  }
  const byType = reading.by('arqonbus_clients', 'client_type')
  push((line) => {
    if (line === 'in') return rate('arqonbus_messages_received_total')
    if (line === 'out') return rate('arqonbus_messages_delivered_total')
    const [of = '', share] = line.split(' p')
    if (share === undefined) return byType.get(line) ?? 0
    const found = first && percentileBetween(first.histograms[of] ?? [], buckets[of] ?? [], Number(share) / 100)
    return found === undefined || found === null ? null : found * 1000
  })
  const value = (name: string) => reading.sum(name) ?? 0
  const cpu = rate('arqonbus_cpu_seconds_total')
  const isStorageThere = reading.sum('arqonbus_storage_available') !== 0
  figures.value = {
    connections: value('arqonbus_connections'),
    rooms: value('arqonbus_rooms'),
    channels: value('arqonbus_channels'),
    subscriptions: value('arqonbus_subscriptions'),
    behind: value('arqonbus_connections_catching_up'),
    queueBytes: value('arqonbus_send_queue_bytes'),
    historyBytes: value('arqonbus_history_bytes'),
    historyEntries: value('arqonbus_history_entries'),
    queuedMessages: value('arqonbus_queued_messages'),
    isStorageThere,
    residentBytes: value('arqonbus_resident_memory_bytes'),
    cpuPercent: cpu === null ? null : cpu * 100,
  }
  const isDegraded = health.value?.status === 'degraded' || !isStorageThere
  degradedSince.value = isDegraded ? (degradedSince.value ?? Date.now()) : undefined
}

function push(valueAt: (line: Line) => number | null): void {
  const { times, lines } = series
  times.push(Date.now() / 1000)
  for (const [line, values] of Object.entries(lines)) values.push(valueAt(line as Line))
  if (times.length > SPAN_SECONDS) {
    times.shift()
    for (const values of Object.values(lines)) values.shift()
  }
  readings.value += 1
}

/** The last value of a line. */
export const latest = (line: Line): number | null => series.lines[line].at(-1) ?? null
