/**
 * The type of a panel of the dashboard, and expressions that several panels share. In an expression `$bus` means the
 * labels of the selected buses.
 */

/** A panel. */
export type Panel = {
  readonly title: string
  /** What it shows and how to read it. */
  readonly description: string
  readonly kind: 'timeseries' | 'stat' | 'bargauge' | 'state-timeline'
  /** The width, of 24 columns. */
  readonly width: number
  /** The name of the unit in Grafana: `s`, `bytes`, `percentunit`, `cps` (counts per second), `short` (a number). */
  readonly unit: string
  /** Expressions, each with the legend of its series. */
  readonly queries: readonly (readonly [expr: string, legend: string])[]
  /** Texts and colours for values. */
  readonly words?: Readonly<Record<number, readonly [text: string, color: string]>>
  /** The values above which it is orange, and red. */
  readonly warnAt?: readonly [orange: number, red: number]
  /** Shows the name of the series instead of its value. */
  readonly isNamed?: true
}

/** A row. */
export type Row = { readonly title: string; readonly panels: readonly Panel[] }

/** A quantile of a histogram. */
export const quantile = (at: number, histogram: string): string =>
  `histogram_quantile(${at}, sum by (job, instance, le) (rate(${histogram}_bucket{$bus}[$__rate_interval])))`

/** The rate of a counter, per second. */
export const perSecond = (counter: string): string => `rate(${counter}{$bus}[$__rate_interval])`

/** A configured limit. */
export const limit = (name: string): string => `arqonbus_limit{$bus, limit="${name}"}`

/** The durability level as a number, for a panel that shows states. */
export const durability =
  'sum by (job, instance) (arqonbus_durability{$bus, level="stored"}) + 2 * sum by (job, instance) (arqonbus_durability{$bus, level="disk"})'

/** The texts for the values of `durability`. */
export const durabilityWords: Panel['words'] = { 0: ['memory', 'orange'], 1: ['stored', 'green'], 2: ['disk', 'green'] }

/** The texts for the values of `arqonbus_storage_available`. */
export const availabilityWords: Panel['words'] = { 0: ['unreachable', 'red'], 1: ['reachable', 'green'] }
