/**
 * The keys of a JSON Web Key Set (RFC 7517). They are fetched in the background; a token with an unknown `kid` fetches
 * them earlier, once in 30 seconds at most. While they cannot be fetched, the last ones stay.
 */
import { createPublicKey, type JsonWebKeyInput } from 'node:crypto'
import type { Clock } from '../../kit/clock.ts'
import type { Logger } from '../../observability/logger.ts'
import { fitting, type KeyHint, MOST_KEYS, type TokenKey } from './key-set.ts'
import { AuthUnavailable } from './refused-token.ts'
import { algorithmOf } from './static-keys.ts'

/** What fetching keys needs. */
export type RemoteKeysDeps = {
  readonly url: string
  readonly clock: Pick<Clock, 'monotonic'>
  readonly logger: Pick<Logger, 'info' | 'warn'>
}

/** A token with an unknown `kid` fetches the set at most so often: an attacker sends as many as it likes. */
const UNKNOWN_KID_MS = 30_000
const TIMEOUT_MS = 5000
const MOST_BYTES = 256 * 1024

/** The keys of one set. */
export class RemoteKeys {
  readonly #deps: RemoteKeysDeps
  #keys: readonly TokenKey[] | undefined
  #fetching: Promise<void> | undefined
  #fetchedAt = Number.NEGATIVE_INFINITY
  #lastFault: string | undefined

  constructor(deps: RemoteKeysDeps) {
    this.#deps = deps
  }

  /** The keys that may have signed a token. `AuthUnavailable` where none were fetched yet. */
  async find(hint: KeyHint): Promise<TokenKey[]> {
    const found = fitting(this.#keys ?? [], hint)
    if (found.length > 0) return found
    if (this.#fetching !== undefined || this.#mayFetch()) await this.refresh()
    if (this.#keys === undefined) throw new AuthUnavailable('the key set could not be fetched yet')
    return fitting(this.#keys, hint)
  }

  /** Where the set is. */
  get url(): string {
    return this.#deps.url
  }

  /** Why the last fetch gave no keys; undefined where it did. */
  get fault(): string | undefined {
    return this.#lastFault
  }

  /** Fetches the set. It never fails: the last keys stay. */
  refresh(): Promise<void> {
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined
    })
    return this.#fetching
  }

  #mayFetch(): boolean {
    return this.#deps.clock.monotonic() - this.#fetchedAt >= UNKNOWN_KID_MS
  }

  async #fetch(): Promise<void> {
    const { url, clock, logger } = this.#deps
    this.#fetchedAt = clock.monotonic()
    try {
      const keys = keysIn(await textAt(url))
      if (this.#lastFault !== undefined) logger.info({ event: 'token_keys_fetched', keys: keys.length })
      this.#keys = keys
      this.#lastFault = undefined
    } catch (problem) {
      const fault = problem instanceof Error ? problem.message : String(problem)
      if (fault !== this.#lastFault) logger.warn({ event: 'token_keys_unavailable', reason: fault.slice(0, 200) })
      this.#lastFault = fault
    }
  }
}

/** The text at a URL; no redirect is followed, since its target was not configured. */
async function textAt(url: string): Promise<string> {
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (response.status !== 200) throw new Error(`the response has the status ${response.status}`)
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > MOST_BYTES) throw new Error(`the response is longer than ${MOST_BYTES} bytes`)
  }
  return text
}

/** The keys of a set. Those that no token may be signed with are left out, as RFC 7517 §5 asks for. */
function keysIn(text: string): TokenKey[] {
  const set = JSON.parse(text) as { keys?: unknown }
  if (!Array.isArray(set?.keys)) throw new Error('the response is no JSON Web Key Set')
  const keys = set.keys.slice(0, MOST_KEYS).flatMap((jwk) => keyOf(jwk) ?? [])
  if (keys.length === 0) throw new Error('the key set has no key that can be used')
  return keys
}

type Jwk = Readonly<Record<string, unknown>>

function keyOf(jwk: unknown): TokenKey | undefined {
  if (typeof jwk !== 'object' || jwk === null) return undefined
  const { kty, kid, use, key_ops: operations, alg, d } = jwk as Jwk
  // A secret in a public set is known to everybody, as is a private key.
  if (kty === 'oct' || d !== undefined || (use !== undefined && use !== 'sig')) return undefined
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return undefined
  try {
    const key = createPublicKey({ key: jwk as JsonWebKeyInput['key'], format: 'jwk' })
    const algorithm = algorithmOf(key)
    if (algorithm === undefined || (alg !== undefined && alg !== algorithm)) return undefined
    return { algorithm, kid: typeof kid === 'string' ? kid : undefined, key }
  } catch {
    return undefined
  }
}
