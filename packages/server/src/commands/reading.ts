/** Reads logs for commands. */

import { CodedError } from '@arqonbus/protocol'
import { type Maybe, then } from '../kit/maybe.ts'
import { textBytes } from '../kit/text.ts'
import type { Entry, Page, ReadQuery } from '../log/contract.ts'
import { isDamage } from '../log/damage.ts'

/** Entries read at once. */
const MOST = 1000

/**
 * A page of those entries that fit, wherever they lie: pages are read until one of them is full or the log ends. In the form of `Log.read`: `hasMore` tells
 * of further ones that fit.
 */
export function readWhere(
  read: (query: ReadQuery) => Maybe<Page>,
  query: ReadQuery,
  fits: (entry: Entry) => boolean,
  found: readonly Entry[] = [],
): Maybe<Page> {
  const isBackwards = query.before !== undefined || (query.after === undefined && query.from === 'newest')
  return then(read({ ...query, limit: MOST }), (page): Maybe<Page> => {
    const fitting = page.entries.filter(fits)
    const all = isBackwards ? [...fitting, ...found] : [...found, ...fitting]
    const entries = isBackwards ? firstOf(all.toReversed(), query).toReversed() : firstOf(all, query)
    if (entries.length < all.length) return { ...page, entries, hasMore: true }
    if (!page.hasMore || page.entries.length === 0) return { ...page, entries, hasMore: false }
    const next = isBackwards ? { before: page.entries[0]! } : { after: page.entries.at(-1)! }
    return readWhere(read, { ...query, ...next }, fits, entries)
  })
}

/** As many as were asked for and as fit into the bytes, but one at least. */
function firstOf(entries: readonly Entry[], { limit, maxBytes }: ReadQuery): Entry[] {
  let bytes = 0
  const first: Entry[] = []
  for (const entry of entries) {
    bytes += textBytes(entry.text)
    if (first.length >= limit || (bytes > maxBytes && first.length > 0)) break
    first.push(entry)
  }
  return first
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
