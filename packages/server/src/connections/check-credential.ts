/** What a token has to be when its client enters, beside being valid: not revoked, and one of few enough. */
import { CodedError } from '@arqonbus/protocol'
import type { Credential } from '../auth/credential.ts'
import type { Revocations } from '../auth/revocations.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Clients } from '../state/clients.ts'

/** What checking needs. */
export type CheckCredentialDeps = {
  readonly clients: Pick<Clients, 'get' | 'countOfSubject'>
  readonly metrics: Pick<Metrics, 'limit'>
  readonly revocations: Pick<Revocations, 'isRevoked'>
  /** Clients that one subject may have. */
  readonly maxConnectionsPerSubject: number
}

/** When to try again where a subject has too many clients. */
const RETRY_AFTER_MS = 5000

/**
 * Refuses a revoked token, `unauthenticated`, and a subject with too many clients, `rate_limited`; one of the same id
 * does not count, since its place is taken.
 */
export type CheckCredential = (credential: Credential | undefined, id: string | undefined) => void

/** Creates the check. */
export function createCheckCredential(deps: CheckCredentialDeps): CheckCredential {
  const { clients, metrics, revocations, maxConnectionsPerSubject } = deps
  return (credential, id) => {
    const subject = credential?.subjects[0]
    if (credential === undefined || subject === undefined) return
    // It may have been revoked while its session was looked for.
    if (revocations.isRevoked(credential, id)) throw new CodedError('unauthenticated', { reason: 'revoked' })
    const most = Math.min(maxConnectionsPerSubject, credential.maxConnections ?? maxConnectionsPerSubject)
    const own = id === undefined ? undefined : clients.get(id)?.identity.subject
    if (clients.countOfSubject(subject) - Number(own === subject) < most) return
    metrics.limit('connections_per_subject')
    throw new CodedError('rate_limited', { limit: 'connections_per_subject', most }, RETRY_AFTER_MS)
  }
}
