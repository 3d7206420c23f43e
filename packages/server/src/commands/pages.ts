/** Pages of lists: as many entries as were asked for and as a frame holds. */
import { CodedError } from '@arqonbus/protocol'
import { RawJson } from '../bus/deliver/frames.ts'

/** Something with a number that counts up with each one made. */
type Numbered = { readonly seq: number }

/** A part of a list, and where the next one begins. */
export type ListPage = { readonly entries: RawJson; readonly cursor: string | undefined }

/**
 * The next entries behind a cursor, in the order in which they were made: what goes or comes meanwhile moves no other entry to another page.
 * `maxBytes` bounds the text; the page holds one entry at least.
 */
export function pageOf<T extends Numbered>(
  items: Iterable<T>,
  view: (item: T) => object,
  { cursor, limit = 100, maxBytes }: { cursor: string | undefined; limit: number | undefined; maxBytes: number },
): ListPage {
  const after = readCursor(cursor)
  const texts: string[] = []
  let bytes = 0
  let last = after
  for (const item of items) {
    if (item.seq <= after) continue
    const text = JSON.stringify(view(item))
    bytes += Buffer.byteLength(text) + 1
    if (texts.length >= limit || (bytes > maxBytes && texts.length > 0))
      return { entries: listOf(texts), cursor: last.toString(36) }
    texts.push(text)
    last = item.seq
  }
  return { entries: listOf(texts), cursor: undefined }
}

/** The first entries that fit into so many bytes. */
export function firstOf<T>(items: Iterable<T>, view: (item: T) => object, limit: number, maxBytes: number): RawJson {
  const texts: string[] = []
  let bytes = 0
  for (const item of items) {
    if (texts.length >= limit) break
    const text = JSON.stringify(view(item))
    bytes += Buffer.byteLength(text) + 1
    if (bytes > maxBytes) break
    texts.push(text)
  }
  return listOf(texts)
}

const listOf = (texts: readonly string[]): RawJson => new RawJson(`[${texts.join(',')}]`)

function readCursor(cursor: string | undefined): number {
  if (cursor === undefined) return 0
  const after = /^[0-9a-z]{1,11}$/.test(cursor) ? Number.parseInt(cursor, 36) : Number.NaN
  if (!Number.isSafeInteger(after))
    throw new CodedError('invalid_parameters', { path: '/parameters/cursor', expected: 'a cursor of a page before' })
  return after
}
