/** Reads logs for commands. */

import { CodedError } from '@arqonbus/protocol'
import type { FairQueue, Pieces } from '../kit/fair-queue.ts'
import { chain, type Maybe } from '../kit/maybe.ts'
import { textBytes } from '../kit/text.ts'
import type { Entry, Page, ReadQuery } from '../log/contract.ts'
import { isDamage } from '../log/damage.ts'

/** Entries read at once. */
const MOST = 1000

/** A search in a log. */
type Search = {
  /** Reads a page of the log. */
  readonly read: (query: ReadQuery) => Maybe<Page>
  readonly fits: (entry: Entry) => boolean
  readonly turns: FairQueue
  /** Called for every page that is read. */
  readonly paged: () => void
}

/**
 * A page of those entries that fit, wherever they lie: pages are read until one of them is full or the log ends, and
 * looked through in pieces. In the form of `Log.read`: `hasMore` is true if there are further ones that fit.
 */
export function readWhere(search: Search, query: ReadQuery): Maybe<Page> {
  const isBackwards = query.before !== undefined || (query.after === undefined && query.from === 'newest')
  return searchOn(search, query, { isBackwards, entries: [], bytes: 0, isFull: false })
}

/** What was found, in the direction of the search. It is full when one more was found than it holds. */
type Found = { readonly isBackwards: boolean; readonly entries: Entry[]; bytes: number; isFull: boolean }

function searchOn(search: Search, query: ReadQuery, found: Found): Maybe<Page> {
  return chain(search.read({ ...query, limit: MOST }), (page) => {
    search.paged()
    const looked = search.turns.run(() => lookThrough(page.entries, search.fits, query, found))
    return chain(looked, (): Maybe<Page> => {
      const { entries, isBackwards, isFull } = found
      if (!isFull && page.hasMore && page.entries.length > 0) {
        const next = isBackwards ? { before: page.entries[0]! } : { after: page.entries.at(-1)! }
        return searchOn(search, { ...query, ...next }, found)
      }
      return { ...page, entries: isBackwards ? entries.toReversed() : entries, hasMore: isFull }
    })
  })
}

function* lookThrough(
  entries: readonly Entry[],
  fits: Search['fits'],
  { limit, maxBytes }: ReadQuery,
  found: Found,
): Pieces<void> {
  for (const entry of found.isBackwards ? entries.toReversed() : entries) {
    if (fits(entry)) {
      found.bytes += textBytes(entry.text)
      found.isFull = found.entries.length >= limit || (found.bytes > maxBytes && found.entries.length > 0)
      if (found.isFull) return
      found.entries.push(entry)
    }
    yield
  }
}

/** What a log says; where it is away, what there is without it. */
export function whileAway<T>(ask: () => Maybe<T>, atHand: () => Maybe<T>): Maybe<T> {
  const asked = ask()
  if (!(asked instanceof Promise)) return asked
  return asked.catch((problem: unknown) => {
    const isAway = problem instanceof CodedError && problem.code === 'storage_unavailable' && !isDamage(problem)
    if (isAway) return atHand()
    throw problem
  })
}
