/**
 * Decides whether a client that has everything up to a position can go on from there
 * (docs/protocol.md#history-and-recovery). Every driver uses it.
 */
import type { Position } from '@arqonbus/protocol'
import type { Bounds, Entry, Located } from './contract.ts'

/** What a decision needs to know of a log. */
export type Known = Bounds & {
  readonly originMs: number
  /**
   * The head of the log of this name that was deleted before this one began; undefined where nothing is known of any.
   */
  readonly former: Position | undefined
  /** The entry of a number, where it is kept; of the last one that is not kept any more, what is still known of it. */
  at(n: number): (Pick<Entry, 'ms'> & { readonly text?: string | undefined }) | undefined
  /** True where nothing is kept. */
  readonly isEmpty: boolean
}

/**
 * A client goes on from `since` where every message after it is kept. The time is a fingerprint and the id the proof
 * that the message at `since` is the one that the client has: after a failover a log may have numbered anew. For the
 * last message that is not kept any more, only its time and perhaps its id are known: that is the proof.
 */
export function locate(since: Position, sinceId: string | undefined, known: Known): Located {
  const { first, last: head, originMs } = known
  const base = baseOf(known)
  const lost = (reason: 'trimmed' | 'reset' | 'diverged'): Located => ({ recovered: false, reason, first, head, base })
  if (since.ms < originMs) {
    const isComplete = known.former !== undefined && isSame(since, known.former) && base.n === 0
    return isComplete ? { recovered: false, reason: 'reset', first, head, base, isComplete } : lost('reset')
  }
  if (since.n > head.n || !isProven(since, sinceId, known)) return lost('diverged')
  return since.n >= base.n ? { recovered: true, missed: head.n - since.n, head } : lost('trimmed')
}

/**
 * The position right before the oldest kept message: the origin, the last message that is not kept any more, or the
 * head where nothing is kept.
 */
function baseOf({ first, last, originMs, isEmpty, at }: Known): Position {
  if (isEmpty) return last
  const n = first.n - 1
  return n === 0 ? { ms: originMs, n } : { ms: at(n)?.ms ?? first.ms, n }
}

/**
 * False where another message is, or was, at the position. A message that left the log long ago proves nothing: nothing
 * is known of it.
 */
function isProven(since: Position, sinceId: string | undefined, { first, last, originMs, at }: Known): boolean {
  // The base that a gap notice names may have the time of the message behind it, where that of the one before is not
  // known.
  if (sinceId === undefined && since.n === first.n - 1 && since.ms === first.ms) return true
  if (since.n === 0) return since.ms === originMs
  const there = at(since.n)
  if (there === undefined) return since.n === last.n ? since.ms === last.ms : since.ms <= first.ms
  return since.ms === there.ms && (sinceId === undefined || there.text === undefined || idOf(there.text) === sinceId)
}

const isSame = (a: Position, b: Position): boolean => a.ms === b.ms && a.n === b.n

const BEFORE_ID = '{"version":"1.0","id":"'.length

/** The id of a delivered envelope, which is always at the same place in its text. */
export const idOf = (text: string): string => text.slice(BEFORE_ID, text.indexOf('"', BEFORE_ID))
