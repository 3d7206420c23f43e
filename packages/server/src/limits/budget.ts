/**
 * Budgets: how much a server keeps for all clients of one kind of thing, and who uses how much of it
 * (docs/protocol.md#budgets).
 */
import type { Account, Source } from './accounts.ts'
import { Usage, type User } from './usage.ts'

/** Of what other sources leave, so much may be used by one source where nothing can be evicted. */
const SHARE_OF_SOURCE = 0.8

/** A budget. */
export class Budget implements User {
  readonly max: number
  /** What is used in total: its children are sources, theirs are accounts. */
  readonly total = new Usage<Budget>(this, undefined)
  readonly #usages = new WeakMap<Account | Source, Usage<Account> | Usage<Source>>()

  constructor(max: number) {
    this.max = max
  }

  get used(): number {
    return this.total.amount
  }

  /** What an account uses; its parent is what its source uses. */
  of(account: Account): Usage<Account> {
    return this.#of(account, this.#of(account.source, this.total))
  }

  /**
   * Whether an account may use so much more of what is never evicted. Up to half of the budget is open to everyone. Of
   * the other half, a source may use four fifths of what other sources leave, and an account as much as its source has
   * then left: so there is always something for one that uses little.
   */
  admits(account: Account, amount: number): boolean {
    const all = this.used + amount
    if (2 * all <= this.max) return true
    if (all > this.max) return false
    const own = this.of(account)
    const ofSource = own.parent!.amount
    const left = SHARE_OF_SOURCE * (this.max - (this.used - ofSource)) - ofSource
    return own.amount + amount <= left
  }

  #of<Owner extends Account | Source>(owner: Owner, parent: Usage): Usage<Owner> {
    const known = this.#usages.get(owner)
    if (known !== undefined) return known as unknown as Usage<Owner>
    const usage = new Usage(owner, parent)
    this.#usages.set(owner, usage as unknown as Usage<Account>)
    return usage
  }
}
