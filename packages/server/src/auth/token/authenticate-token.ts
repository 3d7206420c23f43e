/**
 * Authentication by tokens: a token is verified, your backend decides where it is configured to, and what both say makes
 * a client (docs/protocol.md#authentication).
 */
import { CodedError } from '@arqonbus/protocol'
import type { Config } from '../../config/index.ts'
import type { Clock } from '../../kit/clock.ts'
import { type Authenticated, type Authentication, type Presented, selfDeclared } from '../authenticate.ts'
import { compilePermissions } from '../compile-permissions.ts'
import type { Credential } from '../credential.ts'
import { nothing, type Permissions } from '../permissions.ts'
import type { Revocations } from '../revocations.ts'
import type { Callout } from './callout.ts'
import { type ClaimNames, type ClientClaims, claimNamesOf, readClientClaims, readTokenClaims } from './claims.ts'
import { mayUseId, otherId, ownId } from './client-ids.ts'
import type { AuthFailures } from './failures.ts'
import { AuthUnavailable, RefusedToken } from './refused-token.ts'
import type { VerifyToken } from './verify.ts'

/** What authenticating needs. */
export type TokenAuthenticateDeps = {
  readonly limits: Pick<Config, 'tokenClaims' | 'tokenMaxLifeMs'>
  readonly clock: Pick<Clock, 'now'>
  readonly isAdminKey: (key: string) => boolean
  readonly failures: AuthFailures
  readonly revocations: Revocations
  /** By the keys in force; undefined where there are none: then the callout decides alone. */
  readonly verify: () => VerifyToken | undefined
  readonly callout: Callout | undefined
}

/** What was found out about a client. */
type Found = { readonly claims: ClientClaims; readonly credential: Credential }

/** What a token says, before the claims of the client are read. */
type Token = {
  readonly claims: ClientClaims
  readonly tokenId: string | undefined
  readonly iat: number
  readonly exp: number
}

/** Creates the authentication by tokens. */
export function createTokenAuthentication(deps: TokenAuthenticateDeps): Authentication {
  const { isAdminKey, failures, callout } = deps
  const names = claimNamesOf(deps.limits.tokenClaims)

  const authenticate = async (presented: Presented): Promise<Authenticated> => {
    const { token } = presented
    const verify = deps.verify()
    if (token === undefined && callout === undefined) throw new RefusedToken('missing')
    // Without a callout a token is needed; with one, your backend may decide by a cookie alone.
    if (token === undefined && verify !== undefined) throw new RefusedToken('missing')
    if (!deps.revocations.isLoaded) throw new AuthUnavailable('the revocations are not loaded yet')
    const verified = verify && (await verifiedToken(token!, verify, names))
    const found = callout === undefined ? foundIn(verified!) : await decidedBy(callout, presented, verified, deps)
    return authenticatedAs(found, presented, deps)
  }

  return {
    authenticate(presented) {
      failures.check(presented.address)
      if (presented.token !== undefined && isAdminKey(presented.token)) return selfDeclared.admin
      return authenticate(presented).catch((problem: unknown) => {
        throw failures.errorOf(problem, presented)
      })
    },
    passed: (headers) => callout?.passed(headers),
    // Where no keys are configured, your backend may decide by headers alone.
    isAwaited: ({ token, headers }) => token === undefined && (deps.verify() !== undefined || headers === undefined),
    waitMs: (address) => failures.waitMs(address),
  }
}

async function verifiedToken(token: string, verify: VerifyToken, names: ClaimNames): Promise<Token> {
  const payload = await verify(token)
  const { jti, iat, exp } = payload
  const tokenId = typeof jti === 'string' ? jti : undefined
  if (jti !== undefined && tokenId === undefined) throw new RefusedToken('claims', 'jti')
  return { claims: readTokenClaims(payload, names), tokenId, iat: iat * 1000, exp: exp * 1000 }
}

const foundIn = ({ claims, tokenId, iat, exp }: Token): Found => ({
  claims,
  credential: credentialOf(claims, { tokenId, issuedAt: iat, expiresAt: exp }),
})

const credentialOf = (
  { subject, onBehalfOf, profile, maxConnections }: ClientClaims,
  life: Pick<Credential, 'tokenId' | 'issuedAt' | 'expiresAt'>,
): Credential => ({
  subjects: onBehalfOf === undefined ? [subject] : [subject, onBehalfOf],
  ...life,
  profile,
  maxConnections,
})

/** What the callout gives replaces what the token says, but for the subject, which the token proves. */
async function decidedBy(
  callout: Callout,
  presented: Presented,
  token: Token | undefined,
  { limits, clock }: TokenAuthenticateDeps,
): Promise<Found> {
  const decision = await callout.ask(presented)
  const { expires_at: until, ...given } = decision.claims
  const own = token && rawOf(token.claims)
  if (own !== undefined && given.sub !== undefined && given.sub !== own.sub) throw new RefusedToken('denied', 'sub')
  const claims = readClientClaims({ ...own, ...given })
  const issuedAt = token?.iat ?? decision.at
  const latest = Math.min(token?.exp ?? Number.POSITIVE_INFINITY, clock.now() + limits.tokenMaxLifeMs)
  const expiresAt = Math.min(latest, until ?? latest)
  if (expiresAt <= clock.now()) throw new RefusedToken('expired', 'expires_at')
  return { claims, credential: credentialOf(claims, { tokenId: token?.tokenId, issuedAt, expiresAt }) }
}

/** Claims in the form of a reply, so that both can be put together. */
function rawOf({ subject, onBehalfOf, clientId, profile, role, permissions, deny, maxConnections }: ClientClaims) {
  const { clientType, screenName, avatar, personality } = profile
  const all = {
    sub: onBehalfOf ?? subject,
    act: onBehalfOf === undefined ? undefined : { sub: subject },
    client_id: clientId,
    client_type: clientType,
    screen_name: screenName,
    avatar,
    personality,
    role,
    permissions,
    deny,
    limits: maxConnections === undefined ? undefined : { connections: maxConnections },
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

function authenticatedAs(
  { claims, credential }: Found,
  presented: Presented,
  { revocations, failures }: TokenAuthenticateDeps,
): Authenticated {
  if (revocations.isRevoked(credential, claims.clientId)) throw new RefusedToken('revoked')
  return {
    role: claims.role === 'admin' ? 'admin' : 'user',
    subject: claims.subject,
    onBehalfOf: claims.onBehalfOf,
    credential,
    idFor(asked, newName) {
      if (asked !== undefined && !mayUseId(claims, asked)) throw refusedId(claims)
      const id = asked ?? (newName === undefined ? ownId(claims) : otherId(claims, newName()))
      if (revocations.isRevoked(credential, id)) throw failures.errorOf(new RefusedToken('revoked'), presented)
      return id
    },
    permissionsFor: () => permissionsOf(claims),
  }
}

const refusedId = (claims: ClientClaims): CodedError => {
  const own = ownId(claims)
  const expected = claims.clientId === undefined ? `${own}, or ${own}-- followed by letters and digits` : own
  return new CodedError('forbidden', { parameter: 'client_id', expected })
}

/** The grants of a token: without any, nothing is permitted. */
function permissionsOf({ permissions, deny }: ClientClaims): Permissions {
  if (permissions === undefined) return nothing
  const compiled = compilePermissions([{ permissions, deny }])
  return 'faults' in compiled ? nothing : compiled.permissions
}
