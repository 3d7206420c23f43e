/**
 * Revocations: tokens that are not accepted any more, by subject, token id or client id
 * (docs/protocol.md#revocation). Each is remembered for as long as a token may live that it is about.
 */
import { CodedError } from '@arqonbus/protocol'
import type { Clock } from '../kit/clock.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Credential } from './credential.ts'

/** What a revocation is about. */
export const revocationKinds = ['sub', 'jti', 'client_id'] as const

/** What a revocation is about. */
export type RevocationKind = (typeof revocationKinds)[number]

/** One revocation: no token with that value is accepted that was issued at this moment, in wall time, or before. */
export type Revocation = { readonly kind: RevocationKind; readonly value: string; readonly at: number }

/** What revocations need. */
type RevocationsDeps = {
  readonly clock: Pick<Clock, 'now'>
  readonly metrics: Pick<Metrics, 'limit'>
  readonly limits: {
    readonly maxRevocations: number
    readonly tokenMaxLifeMs: number
    readonly tokenLeewayMs: number
  }
}

/** The revocations in force. */
export class Revocations {
  readonly #deps: RevocationsDeps
  /** Moments by kind and value, in the order of the moments. */
  readonly #at = new Map<string, number>()
  /** How long a token may be accepted after it was issued. */
  readonly #lifeMs: number
  /** False until those of a store are known: until then it is not known which tokens are accepted. */
  isLoaded = true

  constructor(deps: RevocationsDeps) {
    this.#deps = deps
    this.#lifeMs = deps.limits.tokenMaxLifeMs + 2 * deps.limits.tokenLeewayMs
  }

  get size(): number {
    return this.#at.size
  }

  /** When a revocation is not needed any more, in wall time. */
  endOf({ at }: Revocation): number {
    return at + this.#lifeMs
  }

  /** Adds one; `rate_limited` where there are too many. A later one of the same value replaces it. */
  add(revocation: Revocation): void {
    this.#forgetEnded()
    const { metrics, limits, clock } = this.#deps
    const key = keyOf(revocation)
    if (this.#at.size >= limits.maxRevocations && !this.#at.has(key)) {
      metrics.limit('revocations')
      const first = this.#at.values().next().value!
      const retryMs = Math.max(1000, first + this.#lifeMs - clock.now())
      throw new CodedError('rate_limited', { limit: 'revocations', most: limits.maxRevocations }, retryMs)
    }
    this.restore(revocation)
  }

  /** Adds one that was stored, whatever their number. */
  restore(revocation: Revocation): void {
    const key = keyOf(revocation)
    const at = Math.max(revocation.at, this.#at.get(key) ?? 0)
    this.#at.delete(key)
    this.#at.set(key, at)
  }

  /** True for a token that is not accepted any more, for a client of this id. */
  isRevoked({ subjects, tokenId, issuedAt }: Credential, clientId: string | undefined): boolean {
    if (this.#at.size === 0) return false
    const isAfter = (kind: RevocationKind, value: string) => issuedAt <= (this.#at.get(`${kind} ${value}`) ?? -1)
    if (tokenId !== undefined && isAfter('jti', tokenId)) return true
    if (clientId !== undefined && isAfter('client_id', clientId)) return true
    return subjects.some((subject) => isAfter('sub', subject))
  }

  #forgetEnded(): void {
    const before = this.#deps.clock.now() - this.#lifeMs
    for (const [key, at] of this.#at) {
      if (at > before) break
      this.#at.delete(key)
    }
  }
}

const keyOf = ({ kind, value }: Pick<Revocation, 'kind' | 'value'>): string => `${kind} ${value}`
