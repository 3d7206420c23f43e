/**
 * HTTP clients: clients for the time of one HTTP request. They are in no list, join nothing, and leave nothing behind
 * but the messages that they published.
 *
 * An HTTP client names its client id. If another client has that id, connected or with a session that is kept, it needs
 * that session, or the admin key.
 */
import { CodedError } from '@arqonbus/protocol'
import { authorize } from '../auth/access.ts'
import { type Authenticated, identityOf } from '../auth/authenticate.ts'
import type { ConfiguredPermissions } from '../auth/configured-permissions.ts'
import type { Identity } from '../auth/identity.ts'
import { holderOf } from '../auth/secrets.ts'
import type { Directory } from '../cluster/cluster.ts'
import type { Clock } from '../kit/clock.ts'
import type { Account, Accounts } from '../limits/accounts.ts'
import type { ReplySink } from '../state/caller.ts'
import type { Client } from '../state/model.ts'
import type { Session, Sessions } from '../state/sessions.ts'
import type { Flow, Transport } from '../state/transport.ts'
import { createClient } from './enter.ts'

/** What a call says of its caller, checked for its form. */
export type Credentials = {
  readonly clientId: string | undefined
  /** The client id that was asked for, where a token decides which one that is. */
  readonly askedId?: string | undefined
  /** True where they are those of a ticket, which no page of another site has. */
  readonly isTicket?: true
  readonly token: string | undefined
  /** Who that is. */
  readonly authenticated: Authenticated
  readonly session: string | undefined
}

/** What accepting HTTP clients needs. */
type HttpClientDeps = {
  readonly clock: Clock
  readonly directory: Pick<Directory, 'find'>
  readonly sessions: Sessions
  readonly permissions: Pick<ConfiguredPermissions, 'bound'>
  readonly accounts: Accounts
  /** Generates an id for a client that names none. */
  readonly newHttpClientId: () => string
}

/**
 * Accepts the caller of a request from this address, under `anonymousId` where it names no client id;
 * `unauthenticated`, `client_id_in_use`. Returns what creates its clients, one for each reply that it waits for, with
 * their account.
 */
export type AcceptHttpClient = (
  credentials: Credentials,
  address: string,
  anonymousId?: string,
) => ((caller: ReplySink) => Client) & { readonly account: Account }

/** The account of a request: a client id that was made for it alone has none of its own. */
export const accountOfRequest = (
  accounts: Accounts,
  identity: Identity,
  { clientId }: Credentials,
  address: string,
): Account =>
  clientId === undefined && identity.subject === undefined
    ? accounts.ofAddress(address)
    : accounts.of(identity, address)

/** The session that a request shows, as it is; undefined where it shows none. */
export function shownSession(sessions: Sessions, { clientId, session }: Credentials): Session | undefined {
  if (session === undefined) return undefined
  const found = clientId === undefined ? undefined : sessions.find(clientId, session)
  // A secret that opens nothing is a mistake of its caller, which would otherwise show as missing messages.
  if (found === undefined)
    throw new CodedError('unauthenticated', {
      path: '/headers/arqonbus-session',
      expected: 'a session of the client id',
    })
  return found
}

/** What the session that a request shows proves of its client. */
export function proofOf(sessions: Sessions, credentials: Credentials): Pick<Identity, 'isProven' | 'holder'> {
  const isProven = shownSession(sessions, credentials) !== undefined
  return { isProven, holder: isProven ? holderOf(credentials.session!) : undefined }
}

/** Creates the function that accepts them. */
export function createHttpClientFactory(deps: HttpClientDeps): AcceptHttpClient {
  const { clock, directory, sessions, accounts, newHttpClientId } = deps
  const isTaken = (id: string) => directory.find(id) !== undefined || sessions.get(id) !== undefined
  return (credentials, address, anonymousId) => {
    const { authenticated, clientId } = credentials
    const id = clientId ?? anonymousId ?? newHttpClientId()
    const identity = identityOf(authenticated, id, { ...proofOf(sessions, credentials), isReadOnly: false })
    authorize(identity, 'use_id', { isTaken: isTaken(identity.id) })
    const account = accountOfRequest(accounts, identity, credentials, address)
    const profile = { clientType: 'service' as const, ...authenticated.credential?.profile }
    const bound = deps.permissions.bound(identity, profile.clientType)
    const create = (caller: ReplySink) => {
      const transport = new NullTransport(caller)
      const own = { identity: bound, account, kind: 'call', seq: 0, profile, echo: true, transport, address } as const
      const client = createClient(own, clock)
      client.frames = 1
      client.caller = caller
      return client
    }
    return Object.assign(create, { account })
  }
}

/** Nothing is delivered to an HTTP client. A class, because each has one: methods are shared. */
class NullTransport implements Transport {
  readonly isPaused = false
  readonly #caller: ReplySink

  constructor(caller: ReplySink) {
    this.#caller = caller
  }

  send(): void {}
  sendBehindPublished(): void {}
  publishToOthers(): boolean {
    return true
  }
  subscribe(): void {}
  unsubscribe(): void {}
  bufferedBytes(): number {
    return 0
  }
  pause(): void {}
  resume(): void {}
  ping(): void {}
  flow(): Flow {
    return { received: 0, left: 0, isWaiting: false }
  }
  /** A request whose client is cut off gets an error: else it would wait without end. */
  close(): void {
    this.#caller.refuse(new CodedError('internal_error'))
  }
  terminate(): void {}
}
