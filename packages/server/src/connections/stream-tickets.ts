/**
 * Tickets of event streams: a browser can set no header for one, so a page gets a ticket by a call with its token, and
 * puts that into the URL. A ticket opens one stream, within 30 seconds (docs/protocol.md#stream-tickets).
 */
import { CodedError } from '@arqonbus/protocol'
import type { Authenticated } from '../auth/authenticate.ts'
import { hashSecret, newSecret } from '../auth/secrets.ts'
import type { Clock } from '../kit/clock.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { IsRevoked } from './revoke.ts'

/** What a ticket is for: who opens the stream. */
export type TicketHolder = {
  readonly authenticated: Authenticated
  /** The client id that was asked for. */
  readonly clientId: string | undefined
  readonly session: string | undefined
}

/** What tickets need. */
type TicketsDeps = {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly metrics: Pick<Metrics, 'limit' | 'authFailed'>
  readonly most: number
}

/** How long a ticket is valid. */
export const TICKET_MS = 30_000

/** Tickets of one subject: a further one takes the place of its oldest, so that no subject uses up those of all. */
const MOST_OF_SUBJECT = 100

type Ticket = { readonly holder: TicketHolder; readonly until: number; readonly of: string }

/** The tickets that were not used yet. */
export class StreamTickets {
  readonly #deps: TicketsDeps
  /** By their hashes, the oldest first. */
  readonly #tickets = new Map<string, Ticket>()
  /** The hashes of each subject, the oldest first. */
  readonly #ofSubject = new Map<string, Set<string>>()

  constructor(deps: TicketsDeps) {
    this.#deps = deps
  }

  /** Makes a ticket; `rate_limited` where there are too many. */
  make(holder: TicketHolder): string {
    const { clock, metrics, most } = this.#deps
    const now = clock.monotonic()
    for (const [key, { until }] of this.#tickets) {
      if (until > now) break
      this.#forget(key)
    }
    const of = holder.authenticated.subject ?? holder.clientId ?? ''
    const own = this.#ofSubject.get(of)
    if (own !== undefined && own.size >= MOST_OF_SUBJECT) this.#forget(own.values().next().value!)
    if (this.#tickets.size >= most) {
      metrics.limit('stream_tickets')
      const { until } = this.#tickets.values().next().value!
      throw new CodedError('rate_limited', { limit: 'stream_tickets', most }, Math.max(1, Math.ceil(until - now)))
    }
    const ticket = newSecret()
    this.#tickets.set(keyOf(ticket), { holder, until: now + TICKET_MS, of })
    this.#ofSubject.getOrInsertComputed(of, () => new Set()).add(keyOf(ticket))
    return ticket
  }

  /** Who a ticket is for, which opens nothing any more then; `unauthenticated` for one that opens nothing. */
  take(ticket: string): TicketHolder {
    const key = keyOf(ticket)
    const found = this.#forget(key)
    if (found !== undefined && found.until > this.#deps.clock.monotonic()) return found.holder
    this.#deps.metrics.authFailed('ticket')
    const expected = 'a ticket of the last 30 seconds that opened no stream yet'
    throw new CodedError('unauthenticated', { path: '/query/ticket', expected })
  }

  /** Forgets the tickets of a revocation. */
  revoke(isRevoked: IsRevoked): void {
    for (const [key, { holder }] of this.#tickets)
      if (isRevoked(holder.authenticated.credential, holder.clientId)) this.#forget(key)
  }

  #forget(key: string): Ticket | undefined {
    const found = this.#tickets.get(key)
    if (found === undefined) return undefined
    this.#tickets.delete(key)
    const own = this.#ofSubject.get(found.of)
    own?.delete(key)
    if (own?.size === 0) this.#ofSubject.delete(found.of)
    return found
  }
}

const keyOf = (ticket: string): string => hashSecret(ticket).toString('base64url')
