/**
 * Revocation: tokens are not accepted any more, and what lives by them ends, on every node
 * (docs/protocol.md#revocation).
 */
import type { Credential } from '../auth/credential.ts'
import type { Revocation, Revocations } from '../auth/revocations.ts'
import type { Announcer } from '../cluster/cluster.ts'
import type { Clock } from '../kit/clock.ts'
import { chain, type Maybe } from '../kit/maybe.ts'
import type { Logger } from '../observability/logger.ts'
import type { Clients } from '../state/clients.ts'
import type { Client } from '../state/model.ts'
import type { Sessions } from '../state/sessions.ts'

/** What revoking needs. */
export type RevokeDeps = {
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Pick<Logger, 'info'>
  readonly revocations: Revocations
  readonly announcer: Announcer
  readonly clients: Pick<Clients, 'all'>
  readonly sessions: Pick<Sessions, 'all' | 'end'>
  /** Ends the connection of a client, and its session. */
  readonly disconnect: (client: Client) => void
  /** Ends what else lives by tokens: telemetry subscribers, tickets, decisions that are remembered. */
  readonly others: (isRevoked: IsRevoked) => void
  /** Stores a revocation; resolves to whether it is stored. Undefined where there is no store. */
  readonly store: ((revocation: Revocation) => Promise<boolean>) | undefined
}

/** True for what a revocation is about. */
export type IsRevoked = (credential: Credential | undefined, clientId: string | undefined) => boolean

/** Revokes; resolves to whether it outlives this process. */
export type Revoke = (revoked: Pick<Revocation, 'kind' | 'value'>) => Maybe<{ readonly isStored: boolean }>

/** Creates the function that revokes, on every node: each does what its announcement asks for. */
export function createRevoke(deps: RevokeDeps): Revoke {
  const { clock, announcer, revocations, store } = deps
  announcer.listen((announcement) => {
    if (announcement.type === 'revoke') end(announcement.revocation, deps)
  })
  return (revoked) => {
    const revocation = { ...revoked, at: clock.now() }
    revocations.add(revocation)
    announcer.announce({ type: 'revoke', revocation })
    return store === undefined ? { isStored: false } : chain(store(revocation), (isStored) => ({ isStored }))
  }
}

function end(revocation: Revocation, deps: RevokeDeps): void {
  const { revocations, clients, sessions, disconnect, others, logger } = deps
  const { kind, value } = revocation
  revocations.restore(revocation)
  const isRevoked: IsRevoked = (credential, clientId) => {
    if (kind === 'client_id') return clientId === value
    if (kind === 'jti') return credential?.tokenId === value
    return credential?.subjects.includes(value) === true
  }
  let ended = 0
  // All that are open: their tokens were accepted before, whatever their clocks said.
  for (const client of [...clients.all()]) {
    if (!isRevoked(client.identity.credential, client.id)) continue
    disconnect(client)
    ended++
  }
  for (const session of [...sessions.all()]) {
    const isOfIt =
      kind === 'client_id' ? session.clientId === value : kind === 'sub' && session.subjects.includes(value)
    if (isOfIt) sessions.end(session)
  }
  others(isRevoked)
  logger.info({ event: 'revoked', kind, ended })
}
