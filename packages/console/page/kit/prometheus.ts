/** One line of `/metrics`. */
export type Sample = {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** The content of `/metrics` at one moment. */
export type Reading = {
  /** The value of a sample without labels, or the sum of all samples of that name. */
  sum(name: string): number | undefined
  /** The samples of a name by the value of one of their labels. */
  by(name: string, label: string): Map<string, number>
  /** The cumulative counts of a histogram by upper bound, all its labels together. */
  histogram(name: string): Buckets
}

/** Cumulative counts by upper bound, ascending; the last bound is infinite. */
export type Buckets = readonly { readonly bound: number; readonly count: number }[]

const line = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/
const label = /(\w+)="((?:[^"\\]|\\.)*)",?/gy

/** Parses the text format of Prometheus. */
export function readMetrics(text: string): Reading {
  const samples = new Map<string, Sample[]>()
  for (const one of text.split('\n')) {
    if (one === '' || one.startsWith('#')) continue
    const [, name, labels, value] = line.exec(one) ?? []
    if (name === undefined) continue
    const sample = { name, labels: readLabels(labels), value: Number(value) }
    const known = samples.get(name)
    if (known === undefined) samples.set(name, [sample])
    else known.push(sample)
  }
  return {
    sum: (name) => samples.get(name)?.reduce((sum, { value }) => sum + value, 0),
    by(name, by) {
      const found = new Map<string, number>()
      for (const { labels, value } of samples.get(name) ?? []) {
        const key = labels[by] ?? ''
        found.set(key, (found.get(key) ?? 0) + value)
      }
      return found
    },
    histogram(name) {
      const counts = new Map<number, number>()
      for (const { labels, value } of samples.get(`${name}_bucket`) ?? []) {
        const bound = labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le)
        counts.set(bound, (counts.get(bound) ?? 0) + value)
      }
      return [...counts].map(([bound, count]) => ({ bound, count })).sort((a, b) => a.bound - b.bound)
    },
  }
}

function readLabels(text: string | undefined): Record<string, string> {
  const labels: Record<string, string> = {}
  for (const [, name = '', value = ''] of (text ?? '').matchAll(label)) labels[name] = value
  return labels
}

/**
 * A percentile of the values counted between two readings, computed as by `histogram_quantile` of Prometheus: by linear
 * interpolation within a bucket. Null if nothing was counted, or if the counter was reset.
 */
export function percentileBetween(before: Buckets, after: Buckets, share: number): number | null {
  const counts = after.map(({ bound, count }, index) => ({ bound, count: count - (before[index]?.count ?? 0) }))
  const total = counts.at(-1)?.count ?? 0
  if (total <= 0 || counts.some(({ count }) => count < 0)) return null
  const rank = share * total
  let [lower, below] = [0, 0]
  for (const { bound, count } of counts) {
    if (count >= rank) {
      if (bound === Number.POSITIVE_INFINITY) return lower
      return count === below ? bound : lower + ((bound - lower) * (rank - below)) / (count - below)
    }
    ;[lower, below] = [bound, count]
  }
  return lower
}
