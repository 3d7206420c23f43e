/**
 * Callout: your backend decides about each connection and call (docs/protocol.md#callout). It gets a signed request,
 * and has one second; where it gives no decision, the client is refused temporarily.
 */
import { createHash, createHmac, randomUUID } from 'node:crypto'
import type { Config } from '../../config/index.ts'
import type { Clock } from '../../kit/clock.ts'
import type { Metrics } from '../../observability/metrics.ts'
import type { PassedHeaders, Presented } from '../authenticate.ts'
import type { RawClaims } from './claims.ts'
import { AuthUnavailable, RefusedToken } from './refused-token.ts'

/** What asking needs. */
export type CalloutDeps = {
  readonly url: string
  readonly secret: string
  readonly limits: Pick<Config, 'authUrlHeaders' | 'authUrlTimeoutMs' | 'authUrlRequests' | 'authUrlCacheMs'>
  readonly clock: Pick<Clock, 'now' | 'monotonic'>
  readonly metrics: Pick<Metrics, 'limit'>
}

/** A permission, and when it was given, in wall time. */
export type Decision = { readonly claims: RawClaims & { readonly expires_at?: number }; readonly at: number }

const TRIES = 2
const MOST_BYTES = 64 * 1024
/** Requests that wait for their turn, for each that may be under way. */
const WAITING_EACH = 10
/** Decisions that are remembered; the first one goes. */
const MOST_CACHED = 10_000

type Outcome = Decision | RefusedToken
type Cached = { readonly outcome: Outcome; readonly until: number }

/** The callout. */
export class Callout {
  readonly #deps: CalloutDeps
  readonly #key: Buffer
  readonly #cached = new Map<string, Cached>()
  readonly #asked = new Map<string, Promise<Outcome>>()
  readonly #waiting: (() => void)[] = []
  #underway = 0
  /** Counts revocations: a decision that was asked for before the last one is not remembered. */
  #round = 0

  constructor(deps: CalloutDeps) {
    this.#deps = deps
    const { secret } = deps
    this.#key = secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : Buffer.from(secret)
  }

  /** What the backend gets of the headers of a request; undefined where that is nothing. */
  passed(headers: Headers): PassedHeaders | undefined {
    const passed = this.#deps.limits.authUrlHeaders.flatMap((name) => {
      const value = headers.get(name)
      return value === null ? [] : [[name, value] as const]
    })
    return passed.length === 0 ? undefined : Object.fromEntries(passed)
  }

  /** The decision about a client; fails with `RefusedToken`, or with `AuthUnavailable` where there is none. */
  async ask(presented: Presented): Promise<Decision> {
    const body = this.#bodyOf(presented)
    const hash = createHash('sha256').update(body).digest('base64url')
    const outcome = this.#remembered(hash) ?? (await this.#askOnce(hash, body))
    if (outcome instanceof RefusedToken) throw outcome
    return outcome
  }

  /** Forgets all decisions: something was revoked. */
  forget(): void {
    this.#cached.clear()
    this.#asked.clear()
    this.#round++
  }

  #bodyOf({ by, token, address, clientId, profile = {}, headers = {} }: Presented): string {
    const { clientType, screenName, avatar, personality } = profile
    return JSON.stringify({
      by,
      token,
      address,
      client_id: clientId,
      client_type: clientType,
      screen_name: screenName,
      avatar,
      personality,
      headers,
    })
  }

  #remembered(hash: string): Outcome | undefined {
    const cached = this.#cached.get(hash)
    return cached !== undefined && cached.until > this.#deps.clock.now() ? cached.outcome : undefined
  }

  #remember(hash: string, outcome: Outcome): void {
    const { clock, limits } = this.#deps
    if (limits.authUrlCacheMs === 0) return
    if (this.#cached.size >= MOST_CACHED) this.#cached.delete(this.#cached.keys().next().value!)
    const until = clock.now() + limits.authUrlCacheMs
    const expiresAt = outcome instanceof RefusedToken ? undefined : outcome.claims.expires_at
    this.#cached.delete(hash)
    this.#cached.set(hash, { outcome, until: Math.min(until, expiresAt ?? until) })
  }

  /** Requests that are the same wait for one reply. */
  #askOnce(hash: string, body: string): Promise<Outcome> {
    const asked = this.#asked.get(hash)
    if (asked !== undefined) return asked
    const round = this.#round
    const asking: Promise<Outcome> = this.#inTurn(() => this.#askTwice(body))
      .then((outcome) => {
        if (round === this.#round) this.#remember(hash, outcome)
        return outcome
      })
      .finally(() => {
        if (this.#asked.get(hash) === asking) this.#asked.delete(hash)
      })
    this.#asked.set(hash, asking)
    return asking
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const { authUrlRequests: most } = this.#deps.limits
    if (this.#underway >= most) {
      if (this.#waiting.length >= most * WAITING_EACH) {
        this.#deps.metrics.limit('callouts')
        throw new AuthUnavailable('too many requests to the backend wait')
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    } else this.#underway++
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#underway--
      else next()
    }
  }

  async #askTwice(body: string): Promise<Outcome> {
    let problem: unknown
    for (let tried = 0; tried < TRIES; tried++) {
      try {
        return await this.#send(body)
      } catch (failed) {
        problem = failed
      }
    }
    throw new AuthUnavailable(`the backend gives no decision: ${shown(problem)}`)
  }

  async #send(body: string): Promise<Outcome> {
    const { url, clock, limits } = this.#deps
    const at = clock.now()
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...this.#signed(body, at) },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(limits.authUrlTimeoutMs),
    })
    if (response.status !== 200) throw new Error(`the status is ${response.status}`)
    return outcomeIn(await textOf(response), at)
  }

  /** Signs as Standard Webhooks does: id, time and body, so that a reply cannot be had again with an old request. */
  #signed(body: string, at: number): Record<string, string> {
    const id = `msg_${randomUUID()}`
    const timestamp = String(Math.floor(at / 1000))
    const signature = createHmac('sha256', this.#key).update(`${id}.${timestamp}.${body}`).digest('base64')
    return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
  }
}

async function textOf(response: Response): Promise<string> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > MOST_BYTES) throw new Error(`the reply is longer than ${MOST_BYTES} bytes`)
  }
  return text
}

/** The decision in a reply: `{ "allow": true, … }`, or `{ "allow": false }`. */
function outcomeIn(text: string, at: number): Outcome {
  const reply: unknown = JSON.parse(text)
  if (typeof reply !== 'object' || reply === null || Array.isArray(reply)) throw new Error('the reply is no object')
  const { allow, reason: _, ...claims } = reply as Record<string, unknown>
  if (allow === false) return new RefusedToken('denied')
  if (allow !== true) throw new Error('the reply has no `allow`')
  const { expires_at: until } = claims
  if (until === undefined) return { claims, at }
  const ms = typeof until === 'string' ? Date.parse(until) : typeof until === 'number' ? until * 1000 : Number.NaN
  if (!Number.isFinite(ms)) throw new Error('`expires_at` is no time')
  return { claims: { ...claims, expires_at: ms }, at }
}

const shown = (problem: unknown): string => (problem instanceof Error ? problem.message : String(problem)).slice(0, 200)
