/** Refusals of connections after the upgrade: of one before it, a browser shows neither code nor reason. */
import { type CloseName, CodedError, type ErrorCode } from '@arqonbus/protocol'
import type { Maybe } from '../kit/maybe.ts'
import type { RefusalReason } from '../observability/metric-labels.ts'

/** How a refused connection is closed, by the reason that is logged and counted. */
const closeNames = {
  host: 'forbidden',
  origin: 'forbidden',
  forbidden: 'forbidden',
  bad_parameter: 'bad_parameter',
  unauthenticated: 'unauthenticated',
  client_id_in_use: 'client_id_in_use',
  storage_unavailable: 'try_later',
  forbidden_id: 'forbidden',
  auth_unavailable: 'try_later',
  auth_failures: 'try_later',
  pending_full: 'try_later',
  subject_full: 'try_later',
} as const satisfies Partial<Record<RefusalReason, CloseName>>

/** The reason of a refusal by authentication. */
const authReasons: { readonly [Code in ErrorCode]?: keyof typeof closeNames } = {
  forbidden: 'forbidden_id',
  auth_unavailable: 'auth_unavailable',
  rate_limited: 'auth_failures',
}

const refusedByAuth = (problem: unknown): unknown =>
  problem instanceof CodedError ? new Refused(problem, authReasons[problem.code] ?? 'unauthenticated') : problem

/** Authenticates a connection; fails with `Refused` where its client is not authenticated. */
export function orRefused<T>(authenticate: () => Maybe<T>): Maybe<T> {
  try {
    const outcome = authenticate()
    return outcome instanceof Promise
      ? outcome.catch((problem: unknown) => {
          throw refusedByAuth(problem)
        })
      : outcome
  } catch (problem) {
    throw refusedByAuth(problem)
  }
}

/** A connection that is not admitted: it gets the error, then the close code. */
export class Refused extends Error {
  constructor(
    readonly error: CodedError,
    readonly reason: keyof typeof closeNames,
  ) {
    super(error.message)
  }

  get close(): CloseName {
    return closeNames[this.reason]
  }
}
