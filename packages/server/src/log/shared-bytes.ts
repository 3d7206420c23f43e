/**
 * The bytes that all logs of a kind share, by whose messages they are (docs/protocol.md#budgets).
 *
 * Above the total, the account that uses most of the source that uses most loses its oldest message that is also the
 * oldest of its log. A log has no holes: where all messages of that account are behind those of others, it loses the
 * oldest of the log in which it uses most, with what is before that.
 */

import { createOldestFirst, type OldestFirst } from '../kit/oldest-first.ts'
import { Budget } from '../limits/budget.ts'
import type { Usage, User } from '../limits/usage.ts'

/** A log as it takes part: its usages are leaves of the budget. */
export type SharingLog = User & {
  /** What the sender of its oldest message uses in it. */
  readonly front: Usage | undefined
  /** When its oldest message came. */
  firstAt(): number | undefined
  /** Drops the oldest message of a usage, with those before it. */
  dropOldestOf(usage: Usage): void
}

/** Accounts that one sweep looks at: this many, and this share of all. */
const FEW = 100
const SHARE = 60

/** The bytes of the logs of one kind. */
export class SharedBytes {
  readonly budget: Budget
  /** For each account the logs whose oldest message is its own, or was when they were listed, the oldest first. */
  readonly #fronts = new Map<Usage, OldestFirst<Usage>>()
  /** Goes round all of them, a part in each sweep. */
  #walk = this.#fronts.entries()

  constructor(maxBytes: number) {
    this.budget = new Budget(maxBytes)
  }

  /** The oldest message of a log is part of this usage from now on. */
  isFront(usage: Usage): void {
    if (usage.isListed) return
    usage.isListed = true
    const account = usage.parent!
    let logs = this.#fronts.get(account)
    if (logs === undefined) {
      logs = createOldestFirst(byAge)
      this.#fronts.set(account, logs)
    }
    logs.add(usage)
    logs.prune(account.users)
  }

  /** Forgets logs in which the oldest message is not of the account any more. Called every second. */
  sweep(): void {
    const most = Math.min(this.#fronts.size, FEW + this.#fronts.size / SHARE)
    for (let looked = 0; looked < most; looked++) {
      let { value: next } = this.#walk.next()
      if (next === undefined) {
        this.#walk = this.#fronts.entries()
        next = this.#walk.next().value!
      }
      const [account, logs] = next
      if (account.users > 0 || logs.peek() !== undefined) logs.prune(account.users)
      else this.#fronts.delete(account)
    }
  }

  /** Drops messages while there are too many bytes. */
  keep(): void {
    const { budget } = this
    while (budget.used > budget.max) {
      const account = budget.total.heaviest!.heaviest!
      const usage = this.#fronts.get(account)?.peek() ?? account.heaviest!
      logOf(usage).dropOldestOf(usage)
    }
  }
}

const logOf = (usage: Usage): SharingLog => usage.owner as SharingLog

const byAge = {
  keyOf: (usage: Usage): number | undefined => (logOf(usage).front === usage ? logOf(usage).firstAt() : undefined),
  dropped(usage: Usage): void {
    usage.isListed = false
  },
}
