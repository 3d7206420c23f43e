/** Figures over time: the last 15 minutes, a point every ten seconds. */
import { SERIES_EVERY_MS, SERIES_POINTS, type Series, type SeriesName, seriesNames } from '@arqonbus/protocol'

/** A value of each series at one time; null where nothing was measured. */
export type SeriesPoint = Readonly<Record<SeriesName, number | null>>

/** Keeps the last points of numbers that are measured again and again. */
export class RecentPoints {
  readonly #points: (number | null)[] = Array.from({ length: SERIES_POINTS }, () => null)

  add(value: number | null): void {
    this.#points.shift()
    this.#points.push(value)
  }

  /** Oldest first; null where nothing was measured. */
  get all(): readonly (number | null)[] {
    return this.#points
  }

  /** The mean change of a second between the first and the last value; undefined with fewer than two values. */
  get changePerSecond(): number | undefined {
    const first = this.#points.findIndex((value) => value !== null)
    const last = this.#points.findLastIndex((value) => value !== null)
    if (first === last) return undefined
    return ((this.#points[last]! - this.#points[first]!) * 1000) / ((last - first) * SERIES_EVERY_MS)
  }
}

/** The figures that the server keeps. */
export class RecentSeries {
  readonly #series = new Map(seriesNames.map((name) => [name, new RecentPoints()]))
  #until: string
  #text: string | undefined

  /** Begins without points, at a time. */
  constructor(until: string) {
    this.#until = until
  }

  /** Adds a point of each series. */
  add(point: SeriesPoint, until: string): void {
    for (const [name, points] of this.#series) points.add(rounded(point[name]))
    this.#until = until
    this.#text = undefined
  }

  /** For some time nothing was measured. */
  skip(ms: number): void {
    const missing = Math.min(SERIES_POINTS, Math.floor(ms / SERIES_EVERY_MS))
    for (const points of this.#series.values()) for (let i = 0; i < missing; i++) points.add(null)
  }

  /** `Series` as JSON; made once for each point. */
  text(): string {
    this.#text ??= JSON.stringify(this.#document())
    return this.#text
  }

  #document(): Series {
    const series = Object.fromEntries([...this.#series].map(([name, { all }]) => [name, [...all]])) as Series['series']
    return { every_ms: SERIES_EVERY_MS, until: this.#until, series }
  }
}

const rounded = (value: number | null): number | null => value && Math.round(value * 1000) / 1000
