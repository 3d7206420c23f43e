/** The rate of the costly commands: each account has a bucket for each of them. */
import { CodedError } from '@arqonbus/protocol'
import type { Metrics } from '../observability/metrics.ts'
import type { Account } from './accounts.ts'
import { type Bucket, fullBucket, type Rate, takeFrom, waitMs } from './bucket.ts'

/**
 * Takes a token of the bucket of a command, at a moment of running time; `rate_limited`. Returns the bucket; undefined
 * where the rate is off.
 */
export function takeCommand(
  name: string,
  account: Account,
  rate: Rate | null,
  { now, metrics }: { readonly now: number; readonly metrics: Pick<Metrics, 'limit'> },
): Bucket | undefined {
  if (rate === null) return undefined
  account.commandRates ??= new Map()
  const bucket = account.commandRates.getOrInsertComputed(name, () => fullBucket(rate, now))
  if (takeFrom(bucket, rate, now)) return bucket
  metrics.limit('command_rate')
  throw new CodedError('rate_limited', { command: name }, waitMs(bucket, rate))
}
