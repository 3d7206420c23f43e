/** The messages of one log in memory: a ring that grows on demand, so that an idle channel costs next to nothing. */
import type { Account } from '../limits/accounts.ts'
import type { Usage } from '../limits/usage.ts'
import type { Entry, ReadQuery } from './contract.ts'

/** The first capacity that is allotted; it doubles up to the size of the log. */
const FIRST_CAPACITY = 8

/** A bounded queue of entries with consecutive numbers. */
export class Ring {
  #texts: (string | undefined)[] = []
  #times: number[] = []
  #sizes: number[] = []
  /** When each was pushed, in the time by which entries grow old. */
  #ages: number[] = []
  /** What each is a part of: what its sender uses in this log. */
  #usages: (Usage | undefined)[] = []
  /** That of the sender of the last entry: most logs have one sender. */
  #last: Usage | undefined
  /** That of each sender, once there were two. */
  #bySender: Map<Account, Usage> | undefined
  #start = 0
  /** Entries held, and their bytes. */
  length = 0
  bytes = 0
  /** The number of the oldest entry held; meaningless while empty. */
  firstN = 0

  /** Adds the entry after the last. The caller has made room: `length` is below the size of the log. */
  push({ n, ms, text }: Entry, bytes: number, pushedAt: number, usage?: Usage): void {
    if (this.length === 0) this.firstN = n
    if (this.length === this.#texts.length) this.#grow()
    const at = (this.#start + this.length) & (this.#texts.length - 1)
    this.#texts[at] = text
    this.#times[at] = ms
    this.#sizes[at] = bytes
    this.#ages[at] = pushedAt
    this.#usages[at] = usage
    this.length++
    this.bytes += bytes
  }

  /**
   * Takes the oldest entry out and returns its bytes. Its text is not looked at: it has long left the processor's
   * caches.
   */
  shift(): number {
    if (this.length === 0) throw new Error('shift of an empty ring')
    const bytes = this.#sizes[this.#start]!
    this.bytes -= bytes
    this.#texts[this.#start] = undefined
    this.#usages[this.#start] = undefined
    this.#start = (this.#start + 1) & (this.#texts.length - 1)
    this.firstN++
    if (--this.length === 0) {
      this.#texts = []
      this.#times = []
      this.#sizes = []
      this.#ages = []
      this.#usages = []
      this.#start = 0
    }
    return bytes
  }

  /** The time of the oldest entry. */
  get firstMs(): number {
    return this.#times[this.#start]!
  }

  /** The entry number `n`, undefined where it is not held. */
  at(n: number): Entry | undefined {
    const index = n - this.firstN
    if (index < 0 || index >= this.length) return undefined
    const at = (this.#start + index) & (this.#texts.length - 1)
    return { n, ms: this.#times[at]!, text: this.#texts[at]! }
  }

  /** Puts another text in place of that of entry `n`, which is held; returns how many bytes more that is. */
  replace(n: number, text: string, bytes: number): number {
    const at = (this.#start + n - this.firstN) & (this.#texts.length - 1)
    const more = bytes - this.#sizes[at]!
    this.#texts[at] = text
    this.#sizes[at] = bytes
    this.bytes += more
    // No text is empty, so what is used stays above nothing.
    if (more > 0) this.#usages[at]?.add(more)
    else this.#usages[at]?.remove(-more)
    return more
  }

  /** The number after the newest entry held; meaningless while empty. */
  get endN(): number {
    return this.firstN + this.length
  }

  /**
   * Held entries from number `start` to before `end`: as many as have no more than `maxBytes` bytes, but one at least.
   */
  collect(start: number, end: number, maxBytes: number): Entry[] {
    const entries: Entry[] = []
    let bytes = 0
    for (let n = start; n < end; n++) {
      bytes += this.bytesAt(n)
      if (bytes > maxBytes && entries.length > 0) break
      entries.push(this.at(n)!)
    }
    return entries
  }

  /** A page of a query by numbers, of the entries from number `first` on, one of which is held. */
  page(query: Numbered, first = this.firstN): { entries: readonly Entry[]; hasMore: boolean } {
    const { after, before, limit, maxBytes } = query
    if (before === undefined && (after !== undefined || query.from !== 'newest')) {
      const start = Math.max(first, (after ?? 0) + 1)
      const entries = this.collect(start, Math.min(this.endN, start + limit), maxBytes)
      return { entries, hasMore: start + entries.length < this.endN }
    }
    const end = Math.max(first, Math.min(before ?? this.endN, this.endN))
    let start = end
    let bytes = 0
    while (start > first && end - start < limit) {
      bytes += this.bytesAt(start - 1)
      if (bytes > maxBytes && start < end) break
      start--
    }
    return { entries: this.collect(start, end, Number.POSITIVE_INFINITY), hasMore: end > start && start > first }
  }

  /** When entry `n`, which is held, was pushed. */
  pushedAt(n: number): number {
    return this.#ages[(this.#start + n - this.firstN) & (this.#ages.length - 1)]!
  }

  /** The bytes of entry `n`, which is held. */
  bytesAt(n: number): number {
    return this.#sizes[(this.#start + n - this.firstN) & (this.#sizes.length - 1)]!
  }

  /** What an account uses here, if it has entries here. */
  usageOf(account: Account): Usage | undefined {
    const last = this.#last
    if (last !== undefined && last.parent!.owner === account) return last
    const usage = this.#bySender?.get(account)
    if (usage !== undefined) this.#last = usage
    return usage
  }

  /** Adds what an account uses, of which there is nothing here yet; returns it. */
  addUsage(usage: Usage): Usage {
    const last = this.#last
    if (last !== undefined) {
      this.#bySender ??= new Map([[senderOf(last), last]])
      this.#bySender.set(senderOf(usage), usage)
    }
    this.#last = usage
    return usage
  }

  /** An entry has left: so much less is used. */
  removeBytes(usage: Usage, bytes: number): void {
    usage.remove(bytes)
    if (usage.amount === 0 && usage !== this.#last) this.#bySender?.delete(senderOf(usage))
  }

  /** What entry `n`, which is held, is a part of. */
  usageAt(n: number): Usage | undefined {
    return this.#usages[(this.#start + n - this.firstN) & (this.#usages.length - 1)]
  }

  /** The capacity is a power of two, so that an index wraps with a mask. */
  #grow(): void {
    const capacity = Math.max(FIRST_CAPACITY, this.#texts.length * 2)
    const texts = new Array<string | undefined>(capacity)
    const times = new Array<number>(capacity)
    const sizes = new Array<number>(capacity)
    const ages = new Array<number>(capacity)
    const usages = new Array<Usage | undefined>(capacity)
    for (let i = 0; i < this.length; i++) {
      const at = (this.#start + i) & (this.#texts.length - 1)
      texts[i] = this.#texts[at]
      times[i] = this.#times[at]!
      sizes[i] = this.#sizes[at]!
      ages[i] = this.#ages[at]!
      usages[i] = this.#usages[at]
    }
    this.#texts = texts
    this.#times = times
    this.#sizes = sizes
    this.#ages = ages
    this.#usages = usages
    this.#start = 0
  }
}

const senderOf = (usage: Usage): Account => usage.parent!.owner as Account

/** A query whose positions are their numbers. */
type Numbered = Omit<ReadQuery, 'after' | 'before'> & {
  readonly after: number | undefined
  readonly before: number | undefined
}
