/**
 * Verifies tokens: JSON Web Tokens (RFC 7519) under the rules of RFC 8725. What a token says of how it is to be verified
 * is only compared with what is configured (docs/protocol.md#authentication).
 */
import { decodeProtectedHeader, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose'
import type { Config, TokenAlgorithm } from '../../config/index.ts'
import type { Clock } from '../../kit/clock.ts'
import type { AuthFailureReason } from '../../observability/metric-labels.ts'
import type { KeyHint, TokenKey } from './key-set.ts'
import { RefusedToken } from './refused-token.ts'

/** A longer token is refused before it is looked into. */
const MOST_BYTES = 4096

const form = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/** Headers that carry a key, or lead to one, or change what is signed: the token must not choose (RFC 8725 §3.1, §3.10). */
const forbiddenHeaders = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip', 'enc'] as const

const types = ['jwt', 'at+jwt', 'application/jwt', 'application/at+jwt']

/** What verifying needs. */
export type VerifyDeps = {
  readonly limits: Pick<Config, 'tokenAudience' | 'tokenIssuer' | 'tokenMaxLifeMs' | 'tokenLeewayMs'>
  readonly algorithms: readonly TokenAlgorithm[]
  readonly clock: Pick<Clock, 'now'>
  /** The keys that may have signed a token; fails with `AuthUnavailable`. */
  readonly keysFor: (hint: KeyHint) => TokenKey[] | Promise<TokenKey[]>
}

/** The claims of a token that is valid now, with the times of its life in seconds since 1970. */
export type VerifiedClaims = JWTPayload & { readonly exp: number; readonly iat: number }

/** Verifies a token; fails with `RefusedToken` or `AuthUnavailable`. */
export type VerifyToken = (token: string) => Promise<VerifiedClaims>

/** Creates the function that verifies tokens. */
export function createVerifyToken({ limits, algorithms, clock, keysFor }: VerifyDeps): VerifyToken {
  const { tokenAudience, tokenIssuer, tokenMaxLifeMs, tokenLeewayMs } = limits
  const leewaySeconds = tokenLeewayMs / 1000

  const hintOf = (token: string): KeyHint => {
    if (token.length > MOST_BYTES) throw new RefusedToken('too_long')
    if (!form.test(token)) throw new RefusedToken('malformed')
    const header = headerOf(token)
    const forbidden = forbiddenHeaders.find((name) => name in header)
    if (forbidden !== undefined) throw new RefusedToken('header', forbidden)
    if (typeof header.typ !== 'string' || !types.includes(header.typ.toLowerCase())) throw new RefusedToken('type')
    const algorithm = algorithms.find((one) => one === header.alg)
    if (algorithm === undefined) throw new RefusedToken('algorithm')
    const { kid } = header
    if (kid !== undefined && (typeof kid !== 'string' || kid.length > 256)) throw new RefusedToken('header', 'kid')
    return { algorithm, kid }
  }

  const optionsFor = ({ algorithm }: KeyHint): JWTVerifyOptions => ({
    algorithms: [algorithm],
    audience: [...tokenAudience],
    ...(tokenIssuer.length > 0 && { issuer: [...tokenIssuer] }),
    clockTolerance: leewaySeconds,
    requiredClaims: ['exp', 'iat'],
    currentDate: new Date(clock.now()),
  })

  const checkLife = ({ exp, iat }: VerifiedClaims) => {
    if (iat * 1000 > clock.now() + tokenLeewayMs) throw new RefusedToken('not_yet', 'iat')
    if (exp <= iat || (exp - iat) * 1000 > tokenMaxLifeMs) throw new RefusedToken('life')
  }

  return async (token) => {
    const hint = hintOf(token)
    const keys = await keysFor(hint)
    if (keys.length === 0) throw new RefusedToken('key')
    const options = optionsFor(hint)
    let refused: RefusedToken | undefined
    for (const { key } of keys) {
      try {
        const { payload } = await jwtVerify(token, key as CryptoKey, options)
        checkLife(payload as VerifiedClaims)
        return payload as VerifiedClaims
      } catch (problem) {
        refused = problem instanceof RefusedToken ? problem : new RefusedToken(...reasonOf(problem))
        // Only another key can make another signature of it.
        if (refused.reason !== 'signature') throw refused
      }
    }
    throw refused!
  }
}

function headerOf(token: string) {
  try {
    return decodeProtectedHeader(token)
  } catch {
    throw new RefusedToken('malformed')
  }
}

const byClaim: Readonly<Record<string, AuthFailureReason>> = { aud: 'audience', iss: 'issuer', nbf: 'not_yet' }

function reasonOf(problem: unknown): [AuthFailureReason, string?] {
  if (problem instanceof errors.JWSSignatureVerificationFailed) return ['signature']
  if (problem instanceof errors.JWTExpired) return ['expired']
  if (problem instanceof errors.JWTClaimValidationFailed) return [byClaim[problem.claim] ?? 'claims', problem.claim]
  if (problem instanceof errors.JOSEAlgNotAllowed || problem instanceof errors.JOSENotSupported) return ['algorithm']
  return ['malformed']
}
