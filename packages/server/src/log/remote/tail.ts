/** The last messages of a log that were delivered here: for hand-overs, and for history while the store is away. */
import type { Position } from '@arqonbus/protocol'
import { textBytes } from '../../kit/text.ts'
import type { Entry, ReadQuery } from '../contract.ts'
import { redactIn } from '../redact.ts'
import { Ring } from '../ring.ts'

/** At most so many messages, and so many bytes, of one log. */
const MOST_ENTRIES = 256
const MOST_BYTES = 256 * 1024

/** The end of a log; empty at first. */
export class Tail {
  bytes = 0
  readonly #ring = new Ring()
  readonly #mostEntries: number

  /** Creates the tail of a log that keeps `size` messages itself. */
  constructor(size: number) {
    this.#mostEntries = Math.min(size, MOST_ENTRIES)
  }

  get length(): number {
    return this.#ring.length
  }

  get last(): Entry | undefined {
    return this.#ring.length === 0 ? undefined : this.#ring.at(this.#ring.endN - 1)
  }

  /** Adds the entry that follows the last. */
  push(entry: Entry): void {
    const size = textBytes(entry.text)
    this.#ring.push(entry, size, entry.ms)
    this.bytes += size
    while (this.length > this.#mostEntries || (this.bytes > MOST_BYTES && this.length > 1))
      this.bytes -= this.#ring.shift()
  }

  /** Puts a tombstone in place of the message at a position; undefined where that is not at hand. */
  redact(position: Position): ReturnType<typeof redactIn> {
    const redacted = redactIn(this.#ring.length === 0 ? undefined : this.#ring, position)
    this.bytes += redacted?.moreBytes ?? 0
    return redacted
  }

  /** What follows `n`, or undefined where that is not at hand. */
  after(n: number, limit: number, maxBytes: number): readonly Entry[] | undefined {
    const ring = this.#ring
    if (ring.length === 0 || n + 1 < ring.firstN) return undefined
    return ring.collect(n + 1, Math.min(ring.endN, n + 1 + limit), maxBytes)
  }

  /** A page of what is younger than a time, and the first entry of that. */
  page(
    query: ReadQuery,
    youngerThan: number,
  ): { entries: readonly Entry[]; hasMore: boolean; first: Entry | undefined } {
    const ring = this.#ring
    let first = ring.firstN
    while (first < ring.endN && ring.at(first)!.ms <= youngerThan) first++
    if (ring.length === 0 || first === ring.endN) return { entries: [], hasMore: false, first: undefined }
    return { ...ring.page({ ...query, after: query.after?.n, before: query.before?.n }, first), first: ring.at(first) }
  }
}
