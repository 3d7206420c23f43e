/**
 * Authentication: what a client shows, and who it is by that (docs/protocol.md#authentication). Under
 * `ARQONBUS_AUTH=none` every client is who it says it is; tokens are in `token/`.
 */
import { CodedError } from '@arqonbus/protocol'
import type { Maybe } from '../kit/maybe.ts'
import type { TokenProfile } from './credential.ts'
import { anonymous, type Identity, type Role } from './identity.ts'
import { everything, type Permissions } from './permissions.ts'

/** The role that a token gives; `unauthenticated` for one that is not known. */
export type RoleOf = (token: string | undefined) => Role

/** Gives the role admin for the admin key, and the role user without a token. */
export const createRoleOf =
  (isAdminKey: (key: string) => boolean): RoleOf =>
  (token) => {
    if (token === undefined) return 'user'
    if (!isAdminKey(token)) throw new CodedError('unauthenticated')
    return 'admin'
  }

/** What a client shows. */
export type Presented = {
  readonly by: 'connection' | 'http' | 'telemetry'
  readonly token: string | undefined
  readonly address: string
  /** What it says about itself, for those who decide by it. */
  readonly clientId?: string | undefined
  readonly profile?: Partial<TokenProfile>
  /** The headers that your backend gets, by name; undefined where it is not asked. */
  readonly headers?: PassedHeaders | undefined
}

/** Headers of a request that are passed on. */
export type PassedHeaders = Readonly<Record<string, string>>

/** Who a client is. */
export type Authenticated = Pick<Identity, 'role' | 'subject' | 'onBehalfOf' | 'credential'> & {
  /**
   * The client id of a client that asks for this one, or for none; `forbidden` where it may not use it. Undefined where
   * it may use any. `newName` names a client that asks for none and is one of several of its subject.
   */
  idFor(asked: string | undefined, newName?: () => string): string | undefined
  /** What it may do under that id. */
  permissionsFor(id: string): Permissions
}

/** How clients are authenticated. */
export type Authentication = {
  readonly authenticate: Authenticate
  /** What of the headers of a request decides about its client; undefined where nothing does. */
  passed(headers: Headers): PassedHeaders | undefined
  /** True for a connection that has yet to say who it is, by its first frame. */
  isAwaited(presented: Pick<Presented, 'token' | 'headers'>): boolean
  /** Milliseconds until an address with too many failures may try again; undefined where it may now. */
  waitMs(address: string): number | undefined
}

/** Finds out who a client is; `unauthenticated`, `token_expired`, `auth_unavailable`, `rate_limited`. */
export type Authenticate = (presented: Presented) => Maybe<Authenticated>

const self: Pick<Authenticated, 'subject' | 'onBehalfOf' | 'credential' | 'idFor' | 'permissionsFor'> = {
  ...anonymous,
  idFor: (asked) => asked,
  permissionsFor: () => everything,
}

/** A client that is who it says it is. */
export const selfDeclared: Readonly<Record<Role, Authenticated>> = {
  user: { role: 'user', ...self },
  admin: { role: 'admin', ...self },
}

/** Believes every client. */
export const createTrustingAuthentication = (roleOf: RoleOf): Authentication => ({
  authenticate: ({ token }) => selfDeclared[roleOf(token)],
  passed: () => undefined,
  isAwaited: () => false,
  waitMs: () => undefined,
})

/** The identity of an authenticated client under its client id. A token proves the id as its session does. */
export const identityOf = (
  { role, subject, onBehalfOf, credential, permissionsFor }: Authenticated,
  id: string,
  { isProven, holder, isReadOnly }: Pick<Identity, 'isProven' | 'holder' | 'isReadOnly'>,
): Identity => ({
  id,
  role,
  isProven: isProven || subject !== undefined,
  holder,
  isReadOnly,
  subject,
  onBehalfOf,
  credential,
  permissions: permissionsFor(id),
})
