/** The figures that the server keeps: the last 15 minutes, every ten seconds, the same on every load. */
import type { Series, SeriesName } from '@arqonbus/protocol'
import { signal } from '@preact/signals'
import { onBus } from './bus.ts'
import { secrets } from './secrets.ts'

/** The last 15 minutes; undefined before they are loaded. */
export const series = signal<Series | undefined>(undefined)
/** Why the series could not be loaded; undefined if they were. */
export const seriesFault = signal<string | undefined>(undefined)

/** The last value of a series. */
export const latest = (name: SeriesName): number | null => series.value?.series[name].at(-1) ?? null

/** Loads the series with each connection to the bus, and again as often as there is a new value. */
export function watchSeries(): void {
  let timer: ReturnType<typeof setTimeout> | undefined
  const again = async () => {
    await load()
    // Also where this was called again meanwhile: otherwise each reconnection could add another timer.
    clearTimeout(timer)
    timer = setTimeout(again, (series.value?.every_ms ?? 10_000) / 2)
  }
  onBus('connected', () => void again())
}

async function load(): Promise<void> {
  const { token } = secrets.value
  try {
    const response = await fetch('api/v1/series', {
      signal: AbortSignal.timeout(5000),
      headers: token === '' ? {} : { authorization: `Bearer ${token}` },
    })
    seriesFault.value = response.ok ? undefined : `The HTTP port refuses the figures (HTTP ${response.status}).`
    if (response.ok) series.value = (await response.json()) as Series
  } catch {
    seriesFault.value = 'The HTTP port does not respond.'
  }
}
