/**
 * What a panel of the dashboard is, and what the expressions of several share. In an expression `$bus` stands for the labels of the buses that are chosen.
 */

/** A panel. */
export type Panel = {
  readonly title: string
  /** What it shows and what to make of it. */
  readonly description: string
  readonly kind: 'timeseries' | 'stat' | 'bargauge' | 'state-timeline'
  /** Of 24 columns. */
  readonly width: number
  /** In the words of Grafana: `s`, `bytes`, `percentunit`, `cps` (so many a second), `short` (a number). */
  readonly unit: string
  /** Expressions, each with what its series are called. */
  readonly queries: readonly (readonly [expr: string, legend: string])[]
  /** What a number stands for. */
  readonly words?: Readonly<Record<number, readonly [text: string, color: string]>>
  /** Above these values it is orange, and red. */
  readonly warnAt?: readonly [orange: number, red: number]
  /** Shows the name of the series instead of its value. */
  readonly isNamed?: true
}

/** A row. */
export type Row = { readonly title: string; readonly panels: readonly Panel[] }

/** A quantile of a histogram. */
export const quantile = (at: number, histogram: string): string =>
  `histogram_quantile(${at}, sum by (job, instance, le) (rate(${histogram}_bucket{$bus}[$__rate_interval])))`

/** How often something happens, in a second. */
export const perSecond = (counter: string): string => `rate(${counter}{$bus}[$__rate_interval])`

/** A limit in force. */
export const limit = (name: string): string => `arqonbus_limit{$bus, limit="${name}"}`

/** The durability level as a number, for a panel that shows states. */
export const durability =
  'sum by (job, instance) (arqonbus_durability{$bus, level="stored"}) + 2 * sum by (job, instance) (arqonbus_durability{$bus, level="disk"})'

/** What the numbers of `durability` stand for. */
export const durabilityWords: Panel['words'] = { 0: ['memory', 'orange'], 1: ['stored', 'green'], 2: ['disk', 'green'] }

/** What the numbers of `arqonbus_storage_available` stand for. */
export const availabilityWords: Panel['words'] = { 0: ['away', 'red'], 1: ['there', 'green'] }
