/**
 * A histogram of latencies in buckets whose width grows with the value, so that recording costs a few nanoseconds and a
 * hundred million values use no more memory than ten. A percentile is off by at most 1/64 of its value.
 */
export interface Histogram {
  /** Counts one value, in the unit of the histogram. */
  record(value: number): void
  /** The value that this share (0 to 1) of all values does not exceed; 0 if nothing was recorded. */
  percentile(share: number): number
  clear(): void
  count(): number
  max(): number
}

/** Values below this have one bucket each; above it each doubling has half as many. */
const exact = 128

export function createHistogram(): Histogram {
  const buckets = new Float64Array(exact + 32 * (exact / 2))
  let total = 0
  let largest = 0

  return {
    record(value) {
      const whole = value < 0 ? 0 : value > 0x7fffffff ? 0x7fffffff : value | 0
      buckets[bucketOf(whole)]!++
      total++
      if (whole > largest) largest = whole
    },
    percentile(share) {
      let left = Math.ceil(total * share)
      if (total === 0) return 0
      for (let bucket = 0; bucket < buckets.length; bucket++) {
        left -= buckets[bucket]!
        if (left <= 0) return Math.min(upperEdge(bucket), largest)
      }
      return largest
    },
    clear() {
      buckets.fill(0)
      total = 0
      largest = 0
    },
    count: () => total,
    max: () => largest,
  }
}

function bucketOf(value: number): number {
  if (value < exact) return value
  const doublings = 31 - Math.clz32(value) - 6
  return exact + (doublings - 1) * (exact / 2) + ((value >> doublings) - exact / 2)
}

function upperEdge(bucket: number): number {
  if (bucket < exact) return bucket
  const above = bucket - exact
  const doublings = Math.floor(above / (exact / 2)) + 1
  return ((above % (exact / 2)) + exact / 2 + 1) * 2 ** doublings - 1
}
