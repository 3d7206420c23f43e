/** Limits of failures: an address may fail so often, and is refused for a while above that. */
import { networkOf } from '../kit/ip-address.ts'
import { type Bucket, fullBucket, type Rate, takeFrom, waitMs } from './bucket.ts'
import { createMemory } from './per-address.ts'

/** Counts the failures of addresses. */
export type FailureLimit = {
  /** Milliseconds until an address is not refused any more; undefined where it is not refused. */
  waitMs(address: string): number | undefined
  /** An address has failed. */
  failed(address: string): void
}

/** Creates the limit; nobody is refused if the rate is off. */
export function createFailureLimit(rate: Rate | null, now: () => number): FailureLimit {
  if (rate === null) return { waitMs: () => undefined, failed() {} }
  const buckets = createMemory<Bucket>(() => fullBucket(rate, now()))
  const bucketOf = (address: string) => buckets(networkOf(address))
  return {
    waitMs(address) {
      const bucket = bucketOf(address)
      takeFrom(bucket, rate, now(), 0)
      return bucket.tokens >= 1 ? undefined : waitMs(bucket, rate)
    },
    failed(address) {
      takeFrom(bucketOf(address), rate, now())
    },
  }
}
