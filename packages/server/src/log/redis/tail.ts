/** The last messages of a log that were announced here: for hand-overs, and for history while Redis is away. */
import { textBytes } from '../../kit/text.ts'
import type { Entry, ReadQuery } from '../contract.ts'
import { Ring } from '../ring.ts'

/** At most so many messages, and so many bytes, of one log. */
const MOST_ENTRIES = 256
const MOST_BYTES = 256 * 1024

/** The end of a log. */
export type Tail = {
  readonly length: number
  readonly bytes: number
  readonly last: Entry | undefined
  /** Adds the one that follows the last. */
  push(entry: Entry): void
  /** What follows `n`, or undefined where that is not at hand. */
  after(n: number, limit: number, maxBytes: number): readonly Entry[] | undefined
  /** A page of what is younger than a time. */
  page(query: ReadQuery, youngerThan: number): { entries: readonly Entry[]; hasMore: boolean; first: Entry | undefined }
}

/** Nothing yet, and never more messages than the log keeps itself. */
export function createTail(size: number): Tail {
  const ring = new Ring()
  const mostEntries = Math.min(size, MOST_ENTRIES)
  let bytes = 0
  const endN = () => ring.firstN + ring.length
  const collect = (start: number, end: number, maxBytes: number): Entry[] => {
    const entries: Entry[] = []
    let taken = 0
    for (let n = start; n < end; n++) {
      taken += ring.bytesAt(n)
      if (taken > maxBytes && entries.length > 0) break
      entries.push(ring.at(n)!)
    }
    return entries
  }
  /** Where a page that ends before `end` begins; not before `first`. */
  const startBefore = (first: number, end: number, { limit, maxBytes }: ReadQuery): number => {
    let start = end
    let taken = 0
    while (start > first && end - start < limit) {
      taken += ring.bytesAt(start - 1)
      if (taken > maxBytes && start < end) break
      start--
    }
    return start
  }
  return {
    get length() {
      return ring.length
    },
    get bytes() {
      return bytes
    },
    get last() {
      return ring.length === 0 ? undefined : ring.at(endN() - 1)
    },
    push(entry) {
      const size = textBytes(entry.text)
      ring.push(entry, size, entry.ms)
      bytes += size
      while (ring.length > mostEntries || (bytes > MOST_BYTES && ring.length > 1)) bytes -= ring.shift()
    },
    after(n, limit, maxBytes) {
      if (ring.length === 0 || n + 1 < ring.firstN) return undefined
      return collect(n + 1, Math.min(endN(), n + 1 + limit), maxBytes)
    },
    page(query, youngerThan) {
      let first = ring.firstN
      while (first < endN() && ring.at(first)!.ms <= youngerThan) first++
      if (ring.length === 0 || first === endN()) return { entries: [], hasMore: false, first: undefined }
      const oldest = ring.at(first)
      if (query.before !== undefined || (query.after === undefined && query.from === 'newest')) {
        const end = Math.max(first, Math.min(query.before?.n ?? endN(), endN()))
        const start = startBefore(first, end, query)
        return {
          entries: collect(start, end, Number.POSITIVE_INFINITY),
          hasMore: end > start && start > first,
          first: oldest,
        }
      }
      const start = Math.max(first, (query.after?.n ?? 0) + 1)
      const entries = collect(start, Math.min(endN(), start + query.limit), query.maxBytes)
      return { entries, hasMore: start + entries.length < endN(), first: oldest }
    },
  }
}
