/** Token buckets: so many at once, so many a second. */

/** A rate. */
export type Rate = { readonly perSecond: number; readonly burst: number }

/**
 * What is left, and as of which moment of running time. Below 0 is a debt: work that cost more than the token it began
 * with.
 */
export type Bucket = { tokens: number; at: number }

/** A bucket that nothing was taken from. */
export const fullBucket = (rate: Rate, now: number): Bucket => ({ tokens: rate.burst, at: now })

/** Takes a token; false if the bucket is empty. */
export function takeFrom(bucket: Bucket, rate: Rate, now: number): boolean {
  bucket.tokens = Math.min(rate.burst, bucket.tokens + ((now - bucket.at) * rate.perSecond) / 1000)
  bucket.at = now
  if (bucket.tokens < 1) return false
  bucket.tokens--
  return true
}

/** Milliseconds until there is a token. */
export const waitMs = (bucket: Bucket, rate: Rate): number =>
  Math.max(1, Math.ceil(((1 - bucket.tokens) * 1000) / rate.perSecond))
