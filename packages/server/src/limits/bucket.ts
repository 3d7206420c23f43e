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

/** Takes a token, or so many; false if the bucket has fewer, and then none is taken. */
export function takeFrom(bucket: Bucket, rate: Rate, now: number, tokens = 1): boolean {
  bucket.tokens = Math.min(rate.burst, bucket.tokens + ((now - bucket.at) * rate.perSecond) / 1000)
  bucket.at = now
  if (bucket.tokens < tokens) return false
  bucket.tokens -= tokens
  return true
}

/** Milliseconds until there is a token, or so many. */
export const waitMs = (bucket: Bucket, rate: Rate, tokens = 1): number =>
  Math.max(1, Math.ceil(((tokens - bucket.tokens) * 1000) / rate.perSecond))

/** Whether a bucket is as full as one that nothing was taken from. */
export const isFull = ({ tokens, at }: Bucket, { perSecond, burst }: Rate, now: number): boolean =>
  tokens + ((now - at) * perSecond) / 1000 >= burst
