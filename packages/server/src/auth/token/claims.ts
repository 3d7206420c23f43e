/**
 * Claims: what a verified token, or the reply of a callout, says of a client (docs/protocol.md#claims). What is not
 * known is refused: a misspelt `deny` would otherwise permit.
 */
import { type ClientType, clientTypes, compile, isClientId, profileFields } from '@arqonbus/protocol'
import { type MappedClaim, mappedClaims } from '../../config/index.ts'
import { compilePermissions } from '../compile-permissions.ts'
import type { TokenProfile } from '../credential.ts'
import { RefusedToken } from './refused-token.ts'

/** The claims of a client, checked. */
export type ClientClaims = {
  /** Who acts: `sub`, or `act.sub` where there is one. */
  readonly subject: string
  /** On whose behalf: `sub`, where another subject acts. */
  readonly onBehalfOf: string | undefined
  readonly clientId: string | undefined
  readonly profile: TokenProfile
  /** A name for the grants of the configuration; `admin` is the role of admins. */
  readonly role: string | undefined
  readonly permissions: unknown
  readonly deny: unknown
  /** Connections of the subject, at most; undefined where the setting alone decides. */
  readonly maxConnections: number | undefined
}

/** Claims by their names, before they are checked. */
export type RawClaims = Readonly<Record<string, unknown>>

const MOST_SUBJECT_CHARACTERS = 255

const profileChecks = {
  screen_name: compile(profileFields.screen_name),
  avatar: compile(profileFields.avatar),
  personality: compile(profileFields.personality),
}

const ofOurs = mappedClaims.slice(3)

/** The names that tokens have for claims, by those of this page. */
export type ClaimNames = ReadonlyMap<MappedClaim, string>

/** Reads the setting. */
export const claimNamesOf = (pairs: readonly string[]): ClaimNames =>
  new Map(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')) as MappedClaim, pair.slice(pair.indexOf('=') + 1)]))

/** Reads the claims of a verified token; `RefusedToken` where one of them cannot be used. */
export function readTokenClaims(payload: RawClaims, names: ClaimNames): ClientClaims {
  const named = (claim: MappedClaim): unknown => memberOf(payload, names.get(claim) ?? claim)
  const own = objectOr(named('arqonbus'), 'arqonbus')
  const ours: Record<string, unknown> = { ...own }
  // One with a name of its own stands beside `arqonbus`, not in it.
  for (const claim of ofOurs) {
    const name = names.get(claim)
    const value = name === undefined ? undefined : memberOf(payload, name)
    if (value !== undefined) ours[claim] = value
  }
  return readClientClaims({ ...ours, sub: named('sub'), act: named('act') })
}

/** Reads claims in the form of a callout's reply: `sub`, `act` and ours side by side. */
export function readClientClaims(claims: RawClaims): ClientClaims {
  const unknown = Object.keys(claims).find((name) => !mappedClaims.includes(name as MappedClaim))
  if (unknown !== undefined) throw wrong(/^[a-z_]{1,32}$/.test(unknown) ? unknown : 'unknown')
  const sub = subjectOf(claims.sub, 'sub')
  if (sub === undefined) throw wrong('sub')
  const act = claims.act === undefined ? undefined : objectOr(claims.act, 'act')
  const actor = act && subjectOf(act.sub, 'act')
  if (act !== undefined && actor === undefined) throw wrong('act')
  const subject = actor ?? sub
  return {
    subject,
    onBehalfOf: subject === sub ? undefined : sub,
    clientId: clientIdOf(claims.client_id),
    profile: profileOf(claims),
    role: roleOf(claims.role),
    ...grantsOf(claims),
    maxConnections: limitsOf(claims.limits),
  }
}

/** Own members only: a claim named `constructor` is not one. */
const memberOf = (object: RawClaims, name: string): unknown => (Object.hasOwn(object, name) ? object[name] : undefined)

const wrong = (about: string): RefusedToken => new RefusedToken('claims', about)

function objectOr(value: unknown, about: string): RawClaims {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(about)
  return value as RawClaims
}

function subjectOf(value: unknown, about: string): string | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value === '' || value.length > MOST_SUBJECT_CHARACTERS || /\p{Cc}/u.test(value))
    throw wrong(about)
  return value
}

function clientIdOf(value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string' || !isClientId(value) || value === 'arqonbus') throw wrong('client_id')
  return value
}

function profileOf({ client_type: clientType = 'human', ...claims }: RawClaims): TokenProfile {
  if (!clientTypes.includes(clientType as ClientType)) throw wrong('client_type')
  const text = (name: keyof typeof profileChecks) => {
    const value = claims[name]
    if (value === undefined) return undefined
    if (typeof value !== 'string' || profileChecks[name](value) !== undefined) throw wrong(name)
    return value
  }
  const [screenName, avatar, personality] = [text('screen_name'), text('avatar'), text('personality')]
  return {
    clientType: clientType as ClientType,
    ...(screenName !== undefined && { screenName }),
    ...(avatar !== undefined && { avatar }),
    ...(personality !== undefined && { personality }),
  }
}

function roleOf(value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(value)) throw wrong('role')
  return value
}

/** Grants are compiled once here, so that wrong ones are refused with the token. */
function grantsOf({ permissions, deny }: RawClaims): Pick<ClientClaims, 'permissions' | 'deny'> {
  const compiled = compilePermissions([{ permissions, deny }])
  if ('faults' in compiled) throw wrong(compiled.faults[0].path.startsWith('/deny') ? 'deny' : 'permissions')
  return { permissions, deny }
}

function limitsOf(value: unknown): number | undefined {
  const { connections, ...others } = objectOr(value, 'limits')
  if (Object.keys(others).length > 0) throw wrong('limits')
  if (connections === undefined) return undefined
  if (typeof connections !== 'number' || !Number.isInteger(connections) || connections < 1) throw wrong('limits')
  return connections
}
