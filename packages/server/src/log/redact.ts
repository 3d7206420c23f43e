import { isTombstone, type Position, positionText, tombstoneOf } from '@arqonbus/protocol'
import { textBytes } from '../kit/text.ts'
import type { Entry } from './contract.ts'
import type { Ring } from './ring.ts'

/** What was done with a message in a ring. */
type Redacted = { readonly tombstone: Entry; readonly isNew: boolean; readonly moreBytes: number }

/** Puts a tombstone in place of the message at a position of a ring; undefined where the ring does not hold it. */
export function redactIn(ring: Ring | undefined, { ms, n }: Position): Redacted | undefined {
  const entry = ring?.at(n)
  if (ring === undefined || entry === undefined || entry.ms !== ms) return undefined
  if (isTombstone(entry.text)) return { tombstone: entry, isNew: false, moreBytes: 0 }
  const text = tombstoneOf(entry.text, positionText(entry))
  return { tombstone: { ms, n, text }, isNew: true, moreBytes: ring.replace(n, text, textBytes(text)) }
}
