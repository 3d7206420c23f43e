/** Failed authentications: each is logged, counted, and limited by address (docs/protocol.md#failed-authentications). */
import { CodedError } from '@arqonbus/protocol'
import type { Logger } from '../../observability/logger.ts'
import type { Metrics } from '../../observability/metrics.ts'
import type { Presented } from '../authenticate.ts'
import { AuthUnavailable, RefusedToken } from './refused-token.ts'

/** What counting failures needs. */
type FailuresDeps = {
  /** Limits the failures of each address. */
  readonly limit: { waitMs(address: string): number | undefined; failed(address: string): void }
  readonly logger: Pick<Logger, 'info'>
  readonly metrics: Pick<Metrics, 'limit' | 'authFailed'>
}

/** When to try again where keys or decisions cannot be had. */
const RETRY_AFTER_MS = 1000

/** The failed authentications of all addresses. */
export class AuthFailures {
  readonly #deps: FailuresDeps

  constructor(deps: FailuresDeps) {
    this.#deps = deps
  }

  /** Milliseconds until an address may authenticate again; undefined where it may now. */
  waitMs(address: string): number | undefined {
    return this.#deps.limit.waitMs(address)
  }

  /** Refuses an address with too many failures: `rate_limited`. */
  check(address: string): void {
    const waitMs = this.waitMs(address)
    if (waitMs === undefined) return
    this.#deps.metrics.limit('auth_failures')
    throw new CodedError('rate_limited', { limit: 'auth_failures' }, waitMs)
  }

  /** Counts and logs a failure, and makes the error for its client. What is not one is returned as it is. */
  errorOf(problem: unknown, { by, address, clientId }: Pick<Presented, 'by' | 'address' | 'clientId'>): unknown {
    const { limit, logger, metrics } = this.#deps
    if (problem instanceof AuthUnavailable) {
      logger.info({ event: 'authentication_unavailable', by, reason: problem.message, address })
      return new CodedError('auth_unavailable', undefined, RETRY_AFTER_MS)
    }
    if (!(problem instanceof RefusedToken)) return problem
    const { reason, about } = problem
    metrics.authFailed(reason)
    logger.info({ event: 'authentication_failed', by, reason, claim: about, client_id: clientId, address })
    // The signature of one that has expired is right, and who shows none does not guess.
    if (reason === 'expired') return new CodedError('token_expired')
    if (reason !== 'missing') limit.failed(address)
    return new CodedError('unauthenticated', { reason, ...(about !== undefined && { claim: about }) })
  }
}
