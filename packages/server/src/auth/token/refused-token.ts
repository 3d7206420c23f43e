/** Refusals of tokens. */
import type { AuthFailureReason } from '../../observability/metric-labels.ts'

/** A token that is not accepted. Its client is told why; nothing of the token itself is repeated. */
export class RefusedToken extends Error {
  constructor(
    readonly reason: AuthFailureReason,
    /** Which claim or header it is about, by a name of ours. */
    readonly about?: string,
  ) {
    super(about === undefined ? reason : `${reason}: ${about}`)
  }
}

/** Keys or decisions cannot be had now: the same token may be accepted later. */
export class AuthUnavailable extends Error {}
