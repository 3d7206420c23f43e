/** Limits of calls: how often and how many at once, from one address and of all together. */
import { CodedError } from '@arqonbus/protocol'
import type { Config } from '../../config/index.ts'
import type { Clock } from '../../kit/clock.ts'
import { openFiles } from '../../kit/system-limits.ts'
import { createAddressCount, createAddressRate } from '../../limits/per-address.ts'
import type { LimitName } from '../../observability/metric-labels.ts'
import type { Metrics } from '../../observability/metrics.ts'
import type { Streams } from '../streams/streams.ts'

/** What they are checked with. */
export type CallLimitDeps = {
  readonly limits: Pick<
    Config,
    'apiRequests' | 'apiRequestsPerAddress' | 'apiStreams' | 'apiStreamsPerAddress' | 'apiRate'
  >
  readonly clock: Clock
  readonly metrics: Pick<Metrics, 'limit'>
  readonly streams: Pick<Streams, 'size' | 'countOf'>
}

const RETRY_AFTER_MS = 1000

/** Creates the limits of calls: they count calls and refuse one too many with `rate_limited`. */
export function createCallLimits({ limits, clock, metrics, streams }: CallLimitDeps) {
  const { apiRate } = limits
  const takeOf = createAddressRate(apiRate, clock.monotonic)
  const underwayOf = createAddressCount()
  let underway = 0

  const checkMost = (limit: LimitName, count: number, most: number) => {
    if (count < most) return
    metrics.limit(limit)
    throw new CodedError('rate_limited', { limit, most }, RETRY_AFTER_MS)
  }

  return {
    /** A call of an address begins; returns what ends it. It counts also where the checks refuse it. */
    begin(address: string): () => void {
      underway++
      const endOf = underwayOf.add(address)
      return () => {
        underway--
        endOf()
      }
    },
    check(address: string): void {
      const waitMs = takeOf(address)
      if (waitMs !== undefined) {
        metrics.limit('api_rate')
        throw new CodedError('rate_limited', { limit: 'api_rate', per_second: apiRate!.perSecond }, waitMs)
      }
      checkMost('api_requests', underway - 1, limits.apiRequests)
      checkMost('api_requests_per_address', underwayOf.of(address) - 1, limits.apiRequestsPerAddress)
    },
    /** For a call that opens a stream. */
    checkStream(address: string): void {
      checkMost('api_streams', streams.size, limits.apiStreams)
      checkMost('api_streams_per_address', streams.countOf(address), limits.apiStreamsPerAddress)
      // A stream keeps its connection, and so one of the open files.
      if (!openFiles.isNearLimit()) return
      metrics.limit('open_files')
      throw new CodedError('rate_limited', { limit: 'open_files' }, RETRY_AFTER_MS)
    },
  }
}
