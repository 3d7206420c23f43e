/**
 * Renewal: a connection shows another token of its subject, and goes on under what that permits
 * (docs/protocol.md#renewal).
 */
import { CodedError } from '@arqonbus/protocol'
import type { Authenticated, Authentication } from '../auth/authenticate.ts'
import { identityOf } from '../auth/authenticate.ts'
import { chain, type Maybe } from '../kit/maybe.ts'
import type { Logger } from '../observability/logger.ts'
import type { Client } from '../state/model.ts'
import type { Renewal } from '../subscriptions/renewal.ts'
import type { TokenExpiry } from './token-expiry.ts'

/** What renewing needs. */
type RenewDeps = {
  readonly authentication: Authentication
  readonly logger: Pick<Logger, 'info'>
  readonly expiry: Pick<TokenExpiry<Client>, 'watch'>
  readonly renewal: Pick<Renewal, 'replace'>
  /** The profile of a session has changed. */
  readonly sessionChanged: (clientId: string) => void
}

/** Renews the token of a client; refuses one of another subject, id or client type. */
export type Renew = (client: Client, token: string) => Maybe<void>

/** Creates the function that renews. */
export function createRenew({ authentication, logger, expiry, renewal, sessionChanged }: RenewDeps): Renew {
  const take = (client: Client, renewed: Authenticated): Maybe<void> => {
    checkSame(client, renewed)
    const { profile } = renewed.credential ?? {}
    if (profile !== undefined) client.profile = { ...client.profile, ...profile }
    const ended = renewal.replace(client, identityOf(renewed, client.id, client.identity))
    expiry.watch(client)
    sessionChanged(client.id)
    logger.info({ event: 'token_renewed', client_id: client.id, address: client.address })
    return ended
  }
  return (client, token) => {
    const { id, profile, address = '' } = client
    const presented = { by: 'connection', token, clientId: id, profile, address } as const
    return chain(authentication.authenticate(presented), (renewed) => {
      // It may have ended while the token was verified.
      return client.isClosing ? undefined : take(client, renewed)
    })
  }
}

/** Another subject, or another kind of client, is another client: it needs a connection of its own. */
function checkSame({ id, identity, profile }: Client, renewed: Authenticated): void {
  const wrong = (expected: string) => new CodedError('forbidden', { path: '/parameters/token', expected })
  const isRaised = renewed.role === 'admin' && renewed.subject === undefined && identity.subject === undefined
  if (isRaised) return
  if (renewed.subject !== identity.subject || renewed.onBehalfOf !== identity.onBehalfOf)
    throw wrong('a token of the same subject')
  renewed.idFor(id)
  const { clientType = profile.clientType } = renewed.credential?.profile ?? {}
  if (clientType !== profile.clientType) throw wrong('a token of the same client type')
}
