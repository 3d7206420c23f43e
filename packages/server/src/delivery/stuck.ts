/**
 * Closes clients that are catching up and take nothing: nothing is read for them, so nothing else shows that they
 * cannot go on.
 */
import type { Clock } from '../kit/clock.ts'
import type { Bounds } from '../log/contract.ts'
import type { Client } from '../state/model.ts'
import { allSubscriptions, cursorIn } from '../state/subscription.ts'
import type { Closing } from './closing.ts'
import { createStandstill } from './standstill.ts'
import type { Tails } from './tails.ts'

/** What watching needs. */
export type StuckWatchDeps = {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly tails: Pick<Tails, 'after'>
  readonly closing: Pick<Closing, 'closeSlow'>
  /** A connection that takes nothing of what waits for it is closed after this time. */
  readonly stuckMs: number
  /** Whether the logs reply at once. */
  readonly isImmediate: boolean
}

/** Logs that one look checks for what a client lacks; the next look checks the rest. */
const MOST_LOOKED_AT = 5000

/** Watches the clients of a set for as long as too much waits for them. */
export class StuckWatch {
  readonly #deps: StuckWatchDeps
  readonly #clients: ReadonlySet<Client>
  readonly #isBusy: (client: Client) => boolean
  readonly #isAtStandstill: (client: Client) => boolean
  /** Goes round all clients, a part in each look. */
  #walk: Iterator<Client>

  constructor(deps: StuckWatchDeps, clients: ReadonlySet<Client>, isBusy: (client: Client) => boolean) {
    this.#deps = deps
    this.#clients = clients
    this.#isBusy = isBusy
    this.#isAtStandstill = createStandstill(deps.clock, deps.stuckMs)
    this.#walk = clients.values()
  }

  /** Looks at a part of the clients. */
  look(): void {
    const most = this.#clients.size
    for (let looked = 0, seen = 0; looked < MOST_LOOKED_AT && seen < most; seen++) {
      const { value: client, done } = this.#walk.next()
      if (done) this.#walk = this.#clients.values()
      else if (!client.isClosing) looked += this.#closeStuck(client)
    }
  }

  /**
   * A client is closed when it has taken nothing for too long and, if the log replies at once, as soon as what it lacks
   * is gone. Returns how many logs were looked at.
   */
  #closeStuck(client: Client): number {
    const { closing, isImmediate } = this.#deps
    if (!this.#isBusy(client)) return 1
    if (this.#isAtStandstill(client)) {
      closing.closeSlow(client, {})
      return 1
    }
    return isImmediate ? 1 + this.#closeFallen(client) : 1
  }

  /** Closes a client whose next message has left a log. */
  #closeFallen(client: Client): number {
    const { tails, closing } = this.#deps
    let looked = 0
    for (const { state, feed } of allSubscriptions(client)) {
      if (typeof state === 'string') continue
      for (const log of feed.logs()) {
        looked++
        const cursor = cursorIn(state, log).n
        if (cursor >= log.lastDelivered.n || log.recent(cursor, 1, 1) !== undefined) continue
        if (tails.after(log, cursor, 1) !== undefined) continue
        const { first, last } = log.bounds() as Bounds
        closing.closeSlow(client, { after: cursor, first: log.isEmpty() ? last.n + 1 : first.n })
        return looked
      }
    }
    return looked
  }
}
