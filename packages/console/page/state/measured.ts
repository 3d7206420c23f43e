/**
 * Figures that the page computes from `/metrics` where a server does not keep them itself: only since the page was
 * opened, and only while it is.
 */
import { signal } from '@preact/signals'
import { type Reading, readMetrics } from '../kit/prometheus.ts'
import type { LimitInUse, RefusedFrames, Series, SeriesName } from './figures.ts'

const EVERY_MS = 10_000
const POINTS = 90

/** The series since the page was opened. */
export const measuredSeries = signal<Series | undefined>(undefined)
/** Refused frames by code, since the server started. */
export const refusals = signal<readonly RefusedFrames[]>([])
/** Limits with the gauge of the same name. */
export const limits = signal<readonly LimitInUse[]>([])

/** Whether the log was unreachable at the last reading. */
export const isLogAway = signal(false)

const gauges: Readonly<Record<string, string>> = {
  connections: 'arqonbus_connections',
  telemetry_connections: 'arqonbus_telemetry_connections',
  rooms: 'arqonbus_rooms',
  channels: 'arqonbus_channels',
  sessions: 'arqonbus_sessions_kept',
  api_streams: 'arqonbus_http_streams',
  dedup_bytes: 'arqonbus_dedup_bytes',
  history_bytes: 'arqonbus_history_bytes',
  queued_bytes: 'arqonbus_queued_bytes',
  send_buffer_bytes: 'arqonbus_send_queue_bytes',
  fanout_bytes: 'arqonbus_fanout_bytes',
  memory_bytes: 'arqonbus_resident_memory_bytes',
}

const rates = {
  messages_per_second: 'arqonbus_messages_received_total',
  deliveries_per_second: 'arqonbus_messages_delivered_total',
  bytes_in_per_second: 'arqonbus_received_bytes_total',
  bytes_out_per_second: 'arqonbus_sent_bytes_total',
  processor: 'arqonbus_cpu_seconds_total',
  refusals_per_second: 'arqonbus_messages_rejected_total',
} as const

/** The reading before, and the values of each ten seconds; the last one is that of this moment. */
let before: { readonly at: number; readonly reading: Reading } | undefined
let startedAt = 0
const lines = new Map<SeriesName, (number | null)[]>()

/** Reads `/metrics` once. */
export async function measure(): Promise<void> {
  const response = await fetch('metrics', { signal: AbortSignal.timeout(5000) })
  if (!response.ok) return
  const reading = readMetrics(await response.text())
  const value = (name: string) => reading.sum(name) ?? 0
  isLogAway.value = reading.sum('arqonbus_storage_available') === 0
  const configured = reading.by('arqonbus_limit', 'limit')
  limits.value = Object.entries(gauges).map(([limit, gauge]) => ({
    limit,
    used: value(gauge),
    most: configured.get(limit) ?? 0,
  }))
  refusals.value = [...reading.by('arqonbus_messages_rejected_total', 'code')]
    .filter(([, count]) => count > 0)
    .map(([code, count]) => ({ code, count }))
  // The time of the server: a request that comes too soon gets the previous reading.
  const at = value('arqonbus_uptime_seconds') * 1000
  if (before !== undefined && at <= before.at) return
  take(at, reading)
  before = { at, reading }
}

function take(at: number, reading: Reading): void {
  const isNext = lines.size === 0 || at - startedAt >= EVERY_MS
  if (isNext) startedAt = at
  const last = before
  const put = (name: SeriesName, value: number | null) => {
    const line = lines.get(name) ?? new Array<number | null>(POINTS).fill(null)
    lines.set(name, isNext ? [...line.slice(1), value] : [...line.slice(0, -1), value])
  }
  for (const [name, counter] of Object.entries(rates)) {
    const [from, to] = [last?.reading.sum(counter), reading.sum(counter)]
    const isKnown = last !== undefined && from !== undefined && to !== undefined && to >= from
    put(name as SeriesName, isKnown ? ((to - from) * 1000) / (at - last.at) : null)
  }
  put('connections', reading.sum('arqonbus_connections') ?? null)
  put('waiting_bytes', reading.sum('arqonbus_send_queue_bytes') ?? null)
  measuredSeries.value = {
    every_ms: EVERY_MS,
    until: new Date().toISOString(),
    series: Object.fromEntries(lines),
  }
}
