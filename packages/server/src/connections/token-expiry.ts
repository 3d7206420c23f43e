/**
 * Tokens that expire: their connections are notified before, and closed then (docs/protocol.md#renewal). One ordered set
 * for all connections, looked at by one timer.
 */
import type { Credential } from '../auth/credential.ts'
import type { Identity } from '../auth/identity.ts'
import type { Clock } from '../kit/clock.ts'
import { Heap } from '../kit/heap.ts'

/** What lives by a token: a client, or a telemetry subscriber. */
type Holder = { readonly identity: Identity; readonly isClosing: boolean }

/** What is done with the holders of tokens. */
type TokenExpiryDeps<H extends Holder> = {
  readonly clock: Pick<Clock, 'now'>
  readonly tokenExpiryNoticeMs: number
  /** Its token expires in so many milliseconds. */
  expiring(holder: H, inMs: number): void
  expired(holder: H): void
}

/** How often the set is looked at. */
export const EXPIRY_TICK_MS = 250

type Entry<H> = { readonly holder: H; readonly credential: Credential; readonly isNotice: boolean }

/** The tokens of all holders, the next one to expire first. */
export class TokenExpiry<H extends Holder> {
  readonly #deps: TokenExpiryDeps<H>
  readonly #heap = new Heap<Entry<H>>()
  /** At this size, what is not needed any more is thrown out: a token may have been renewed, or its connection ended. */
  #pruneAt = 64

  constructor(deps: TokenExpiryDeps<H>) {
    this.#deps = deps
  }

  /** Entries that are kept, those of ended connections and renewed tokens too. */
  get size(): number {
    return this.#heap.size
  }

  /** A holder lives by its token from now on, in place of an earlier one. */
  watch(holder: H): void {
    const { credential } = holder.identity
    if (credential === undefined) return
    const { clock, tokenExpiryNoticeMs } = this.#deps
    const leftMs = credential.expiresAt - clock.now()
    const noticeAt = credential.expiresAt - Math.min(tokenExpiryNoticeMs, leftMs / 2)
    this.#heap.add({ holder, credential, isNotice: true }, noticeAt)
    this.#heap.add({ holder, credential, isNotice: false }, credential.expiresAt)
    if (this.#heap.size > this.#pruneAt) {
      this.#heap.keep(isCurrent)
      this.#pruneAt = 2 * this.#heap.size + 64
    }
  }

  /** Looks which are due. Called every `EXPIRY_TICK_MS`. */
  tick(): void {
    const now = this.#deps.clock.now()
    while (this.#heap.topKey <= now) {
      const entry = this.#heap.top!
      this.#heap.removeTop()
      if (!isCurrent(entry)) continue
      const { holder, credential, isNotice } = entry
      if (!isNotice) this.#deps.expired(holder)
      else if (credential.expiresAt > now) this.#deps.expiring(holder, credential.expiresAt - now)
    }
  }
}

const isCurrent = ({ holder, credential }: Entry<Holder>): boolean =>
  !holder.isClosing && holder.identity.credential === credential
