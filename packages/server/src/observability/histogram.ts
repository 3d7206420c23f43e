/** Durations counted in buckets, cheap enough for the hot path: one scan of a small array, no allocation. */

/** Buckets with their counts; the last one is everything above all bounds. */
export type Histogram = {
  readonly bounds: readonly number[]
  readonly counts: Float64Array
  sum: number
}

/** An empty histogram. `bounds` are upper bounds in seconds, rising. */
export function createHistogram(bounds: readonly number[]): Histogram {
  return { bounds, counts: new Float64Array(bounds.length + 1), sum: 0 }
}

/** Counts one duration. */
export function observe(histogram: Histogram, seconds: number): void {
  const { bounds, counts } = histogram
  let bucket = 0
  while (bucket < bounds.length && seconds > bounds[bucket]!) bucket++
  counts[bucket]!++
  histogram.sum += seconds
}

/** A copy of the counts, for `percentileSince`. */
export const countsOf = ({ counts }: Histogram): Float64Array => counts.slice()

/**
 * The value that a share of what was observed since `before` does not exceed: within its bucket by proportion, and at
 * most the largest bound. Null where nothing was observed.
 */
export function percentileSince(before: Float64Array, { bounds, counts }: Histogram, share: number): number | null {
  const added = counts.map((count, at) => count - before[at]!)
  const total = added.reduce((sum, count) => sum + count, 0)
  if (total === 0) return null
  let left = share * total
  for (const [at, bound] of bounds.entries()) {
    const below = bounds[at - 1] ?? 0
    if (added[at]! >= left) return below + ((bound - below) * left) / added[at]!
    left -= added[at]!
  }
  return bounds.at(-1)!
}

/** One line of the text format: which series, which labels, which value. */
export type Sample = { metricName?: string; labels: Record<string, string | number>; value: number }

/** A histogram as Prometheus wants it: buckets that include all smaller ones, a sum and a count. */
export function histogramSamples(name: string, histogram: Histogram, labels: Record<string, string>): Sample[] {
  const samples: Sample[] = []
  let count = 0
  histogram.counts.forEach((bucket, at) => {
    count += bucket
    const le = histogram.bounds[at] ?? '+Inf'
    samples.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: count })
  })
  samples.push({ metricName: `${name}_sum`, labels, value: histogram.sum })
  samples.push({ metricName: `${name}_count`, labels, value: count })
  return samples
}
