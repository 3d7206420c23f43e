/** Who calls: by its token, or for a stream by a ticket (docs/protocol.md#authentication). */
import { type Authenticated, type Authentication, selfDeclared } from '../../auth/authenticate.ts'
import type { Credentials } from '../../connections/http-clients.ts'
import type { StreamTickets } from '../../connections/stream-tickets.ts'
import { chain, type Maybe } from '../../kit/maybe.ts'
import { randomId } from '../../kit/random-id.ts'
import { type ShownCredentials, takeOne, wrong } from './credentials.ts'
import type { Endpoint } from './endpoints.ts'

/** What is known of a call. What is read of the query is not in it any more then. */
type Shown = {
  readonly shown: ShownCredentials
  readonly query: URLSearchParams
  readonly headers: Headers
  readonly address: string
}

/** Finds out who calls; `unauthenticated`, `token_expired`, `forbidden`, `auth_unavailable`, `rate_limited`. */
export type AuthenticateCall = (endpoint: Endpoint, call: Shown) => Maybe<Credentials>

/** What calls are authenticated with. */
type AuthenticateCallDeps = {
  readonly authentication: Pick<Authentication, 'authenticate' | 'passed'>
  readonly tickets: StreamTickets
}

/** For what needs no caller. */
export const NOBODY: Credentials = {
  clientId: undefined,
  token: undefined,
  session: undefined,
  authenticated: selfDeclared.user,
}

/** Characters of the name of a stream beside the client id of its subject. */
const NEW_NAME = 12

/** Creates the function that authenticates calls. */
export function createAuthenticateCall({ authentication, tickets }: AuthenticateCallDeps): AuthenticateCall {
  /** A stream is one of several clients of its subject: beside the connection of that it has an id of its own. */
  const credentialsOf = (shown: ShownCredentials, authenticated: Authenticated, { kind }: Endpoint): Credentials => {
    const newName = kind === 'stream' ? () => randomId(NEW_NAME) : undefined
    const askedId = shown.clientId
    return { ...shown, authenticated, askedId, clientId: authenticated.idFor(askedId, newName) }
  }
  const byTicket = (ticket: string, shown: ShownCredentials, endpoint: Endpoint): Credentials => {
    const expected = 'to be alone: a ticket has the credentials of the call that it was made by'
    if (shown.token !== undefined || shown.clientId !== undefined || shown.session !== undefined)
      throw wrong('query/ticket', expected)
    const { authenticated, clientId, session } = tickets.take(ticket)
    return { ...credentialsOf({ token: undefined, clientId, session }, authenticated, endpoint), isTicket: true }
  }
  return (endpoint, { shown, query, headers, address }) => {
    const ticket = endpoint.kind === 'stream' ? takeOne(query, 'ticket') : undefined
    if (ticket !== undefined) return byTicket(ticket, shown, endpoint)
    const { token, clientId } = shown
    const presented = { by: 'http', token, clientId, headers: authentication.passed(headers), address } as const
    return chain(authentication.authenticate(presented), (authenticated) =>
      credentialsOf(shown, authenticated, endpoint),
    )
  }
}
