/** Rates of calls: of an address, whoever it says it is, and of a client, as if its calls came by one connection. */
import type { Bucket } from '../../limits/bucket.ts'

/** The buckets of one client. */
export type ClientBuckets = { readonly rate: Bucket | undefined; readonly commandRates: Map<string, Bucket> }

/** So many are remembered; the first one goes, and begins anew with full buckets when it comes back. */
const MOST = 10_000

/** Keeps something for each of the last so many keys. */
export function createMemory<Value>(make: () => Value): (key: string) => Value {
  const values = new Map<string, Value>()
  return (key) => {
    let value = values.get(key)
    if (value === undefined) {
      value = make()
      if (values.size >= MOST) values.delete(values.keys().next().value!)
      values.set(key, value)
    }
    return value
  }
}

/** Whom an address stands for: with IPv6 a whole network is one customer's, so its first 64 bits are. */
export const networkOf = (address: string): string =>
  address.includes(':') && !address.startsWith('::ffff:') ? address.split(':').slice(0, 4).join(':') : address
