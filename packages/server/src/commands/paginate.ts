/** Pages of lists: as many entries as were asked for, as a frame holds, and as can be looked at in one go. */
import { finish, type Pieces } from '@arqonbus/protocol'
import type { Identity } from '../auth/identity.ts'
import { everything } from '../auth/permissions.ts'
import type { Numbered } from '../kit/ordered.ts'
import { encode, RawJson } from '../kit/raw-json.ts'
import { seal, unseal } from '../kit/sealed-number.ts'
import { MOST_RANKED } from '../state/traffic.ts'
import { invalidParameter } from './invalid-parameter.ts'

/** A part of a list, and where the next one begins. */
type ListPage = { readonly entries: RawJson; readonly cursor: string | undefined }

/** What a page is cut from. */
export type PageOf<T> = {
  /** The items that were made after the one with this number, oldest first. */
  readonly after: (seq: number) => Iterable<T>
  readonly view: (item: T) => object
  /** What viewing an item takes beforehand, in pieces. */
  readonly look?: (item: T) => Pieces<void>
  /** False for an item that the list leaves out. */
  readonly fits?: (item: T) => boolean
  /** How many steps it takes to view an item, beside the one that looks whether it fits. */
  readonly steps?: (item: T) => number
  /** Bounds the text. */
  readonly maxBytes: number
  /**
   * True where the reader must not learn how much is left out: pages are full, however much is looked at for them, and
   * cursors are sealed.
   */
  readonly isBlind?: boolean
  /** True where the page may be without an entry if the first is too long; else it holds one at least. */
  readonly mayBeEmpty?: boolean
}

/** An item of a list in another order, with its place there as its number. */
type Ranked<T> = { readonly seq: number; readonly item: T }

/**
 * The same list, with the items of a ranking first and all others behind them, in their usual order. A page makes no
 * ranking, so what it costs still depends on the page and not on the list.
 */
export function rankedFirst<T extends Numbered>(
  page: Omit<PageOf<T>, 'look'>,
  ranking: readonly T[],
): PageOf<Ranked<T>> {
  const first = new Set(ranking)
  function* after(place: number): Iterable<Ranked<T>> {
    for (let at = place; at < ranking.length; at++) yield { seq: at + 1, item: ranking[at]! }
    for (const item of page.after(Math.max(0, place - MOST_RANKED)))
      if (!first.has(item)) yield { seq: MOST_RANKED + item.seq, item }
  }
  return {
    ...page,
    after,
    view: ({ item }) => page.view(item),
    fits: ({ item }) => page.fits?.(item) !== false,
    steps: ({ item }) => page.steps?.(item) ?? 0,
  }
}

/** A page looks at so much and no more: where most of a list is left out, pages are short, or empty. */
const MOST_STEPS = 4000

/** Steps of one piece of work. */
const STEPS = 128

/** True for a viewer that lists leave much out for: all but admins, and those who may do everything. */
export const isBlindTo = ({ role, permissions }: Identity): boolean => role !== 'admin' && permissions !== everything

/**
 * The next entries behind a cursor, in the order in which they were made: what goes or comes meanwhile moves no other
 * entry to another page. What it costs depends on the page and not on the list.
 */
export const pageOf = <T extends Numbered>(page: Omit<PageOf<T>, 'look'>, wanted: WantedPage): ListPage =>
  finish(pageInPieces(page, wanted))

/** Where a page begins, and how many entries it has at most. */
type WantedPage = { readonly cursor?: string | undefined; readonly limit?: number | undefined }

/** The same, in pieces. */
export function* pageInPieces<T extends Numbered>(
  { after, view, look, fits = () => true, steps = () => 0, maxBytes, isBlind = false, mayBeEmpty = false }: PageOf<T>,
  { cursor, limit = 100 }: WantedPage,
): Pieces<ListPage> {
  let last = isBlind ? readSealed(cursor) : readCursor(cursor)
  const texts: string[] = []
  let bytes = 0
  let looked = 0
  let passed = 0
  const ended = () => ({ entries: listOf(texts), cursor: isBlind ? seal(last) : last.toString(36) })
  for (const item of after(last)) {
    if (looked >= MOST_STEPS) return ended()
    if (++passed % STEPS === 0) yield
    if (!isBlind) looked++
    if (fits(item)) {
      if (isBlind) looked++
      looked += steps(item)
      if (look !== undefined) yield* look(item)
      const text = encode(view(item))
      bytes += Buffer.byteLength(text) + 1
      if (texts.length >= limit || (bytes > maxBytes && (texts.length > 0 || mayBeEmpty))) return ended()
      texts.push(text)
    }
    last = item.seq
  }
  return { entries: listOf(texts), cursor: undefined }
}

const listOf = (texts: readonly string[]): RawJson => new RawJson(`[${texts.join(',')}]`)

function readSealed(cursor: string | undefined): number {
  const after = cursor === undefined ? 0 : unseal(cursor)
  if (after === undefined) throw invalidParameter('cursor', 'a cursor of a page before')
  return after
}

function readCursor(cursor: string | undefined): number {
  if (cursor === undefined) return 0
  const after = /^[0-9a-z]{1,11}$/.test(cursor) ? Number.parseInt(cursor, 36) : Number.NaN
  if (!Number.isSafeInteger(after)) throw invalidParameter('cursor', 'a cursor of a page before')
  return after
}
