/** Limits of one address: rates, and how much of something it has at once. */
import { networkOf } from '../kit/ip-address.ts'
import { type Bucket, fullBucket, type Rate, takeFrom, waitMs } from './bucket.ts'

/** So many keys are remembered; the first one goes, and begins anew when it comes back. */
const MOST_KEYS = 10_000

/** Keeps something for each of the last 10,000 keys. */
export function createMemory<Value>(make: () => Value): (key: string) => Value {
  const values = new Map<string, Value>()
  return (key) => {
    if (values.size >= MOST_KEYS && !values.has(key)) values.delete(values.keys().next().value!)
    return values.getOrInsertComputed(key, make)
  }
}

/**
 * Creates the buckets of addresses; every address passes if the rate is off. The function takes a token of an address,
 * and returns undefined where there was one, else the milliseconds until there is.
 */
export function createAddressRate(rate: Rate | null, now: () => number): (address: string) => number | undefined {
  if (rate === null) return () => undefined
  const buckets = createMemory<Bucket>(() => fullBucket(rate, now()))
  return (address) => {
    const bucket = buckets(networkOf(address))
    return takeFrom(bucket, rate, now()) ? undefined : waitMs(bucket, rate)
  }
}

/** Adds up amounts of something by address. Addresses that have none cost nothing. */
export function createAddressSum() {
  const sums = new Map<string, number>()
  return {
    of: (address: string) => sums.get(networkOf(address)) ?? 0,
    /** So much more; less where the amount is negative. */
    add(address: string, amount: number): void {
      const key = networkOf(address)
      const sum = (sums.get(key) ?? 0) + amount
      if (sum > 0) sums.set(key, sum)
      else sums.delete(key)
    },
  }
}

/** Counts how many of something each address has. Addresses that have none cost nothing. */
export function createAddressCount() {
  const counts = new Map<string, number>()
  return {
    of: (address: string) => counts.get(networkOf(address)) ?? 0,
    /** One more; returns what takes it away again, once. */
    add(address: string): () => void {
      const key = networkOf(address)
      counts.set(key, (counts.get(key) ?? 0) + 1)
      let isThere = true
      return () => {
        if (!isThere) return
        isThere = false
        const left = counts.get(key)! - 1
        if (left > 0) counts.set(key, left)
        else counts.delete(key)
      }
    },
  }
}
