/** Limits of what one request may ask for, where each item costs as much as a message: batches, and streams. */
import { CodedError } from '@arqonbus/protocol'
import type { Config } from '../../config/index.ts'
import type { LimitName } from '../../observability/metric-labels.ts'
import type { Metrics } from '../../observability/metrics.ts'

/** A limit of one request, and the setting that decides it. */
export type RequestLimit = { readonly most: number; readonly setting: string }

/** A configured limit, or what the message rate allows at once, where that is less. */
export const withinRate = ({ most, setting }: RequestLimit, rate: Config['rateLimit']): RequestLimit =>
  rate !== null && rate.burst < most ? { most: rate.burst, setting: 'ARQONBUS_RATE_LIMIT' } : { most, setting }

/** Counts and returns the refusal of a request that asks for too much; `path` is where it does. */
export function refuseTooMany(
  { most, setting }: RequestLimit,
  { limit, path, what }: { readonly limit: LimitName; readonly path: string; readonly what: string },
  metrics: Pick<Metrics, 'limit'>,
): CodedError {
  metrics.limit(limit)
  return new CodedError('invalid_parameters', { path, expected: `at most ${most} ${what}: ${setting}`, limit, most })
}
