/** The rate of the costly commands: each account has a bucket for each of them. */
import { CodedError, commands } from '@arqonbus/protocol'
import type { Config } from '../config/index.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Account } from './accounts.ts'
import { type Bucket, fullBucket, type Rate, takeFrom, waitMs } from './bucket.ts'

/** The rate of each command that has one; null where it is off. */
export type RateOf = (name: string) => Rate | null

/** The rates of commands by the configuration. */
export const commandRates =
  ({ commandRate, presenceRate }: Pick<Config, 'commandRate' | 'presenceRate'>): RateOf =>
  (name) =>
    name === commands.set_presence.name ? presenceRate : commandRate

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
  metrics.limit(name === commands.set_presence.name ? 'presence_rate' : 'command_rate')
  throw new CodedError('rate_limited', { command: name }, waitMs(bucket, rate))
}
