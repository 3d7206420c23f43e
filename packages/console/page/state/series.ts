/** The figures that the server keeps: the last 15 minutes, every ten seconds, the same on every load. */
import { computed, effect, signal } from '@preact/signals'
import { onBus } from './bus.ts'
import type { Series, SeriesName } from './figures.ts'
import { measure, measuredSeries } from './measured.ts'
import { secrets } from './secrets.ts'
import { status } from './status.ts'

const kept = signal<Series | undefined>(undefined)
/** True for a server of an earlier version, which keeps no figures: the page then measures by itself. */
const isMissing = computed(() => status.value !== undefined && status.value.attention === undefined)
/** Whether the HTTP port responds. */
export const isAnswering = signal(true)

/** The last 15 minutes. */
export const series = computed<Series | undefined>(() => (isMissing.value ? measuredSeries.value : kept.value))

/** The last value of a series. */
export const latest = (name: SeriesName): number | null => series.value?.series[name]?.at(-1) ?? null

/** Loads the series as soon as the bus has said what it is, and again as often as there is a new value. */
export function watchSeries(): void {
  let timer: ReturnType<typeof setTimeout> | undefined
  const again = async () => {
    clearTimeout(timer)
    await load()
    timer = setTimeout(again, isMissing.value ? 2000 : (kept.value?.every_ms ?? 10_000) / 2)
  }
  const stop = effect(() => {
    if (status.value === undefined) return
    queueMicrotask(() => stop())
    void again()
  })
  onBus('connected', () => {
    if (status.peek() !== undefined) void again()
  })
}

async function load(): Promise<void> {
  try {
    if (isMissing.value) await measure()
    else kept.value = await ask()
    isAnswering.value = true
  } catch {
    isAnswering.value = false
  }
}

async function ask(): Promise<Series> {
  const { token } = secrets.value
  const response = await fetch('api/v1/series', {
    signal: AbortSignal.timeout(5000),
    headers: token === '' ? {} : { authorization: `Bearer ${token}` },
  })
  if (!response.ok) throw new Error(`HTTP ${response.status}`)
  return (await response.json()) as Series
}
