/** Decides whether a client that has everything up to a position can go on from there (protocol §5). Every driver uses it. */
import type { Position } from '@arqonbus/protocol'
import type { Bounds, Entry, Located } from './contract.ts'

/** What a decision needs to know of a log. */
export type Known = Bounds & {
  readonly birthMs: number
  /** The entry of a number, where it is kept. */
  at(n: number): Pick<Entry, 'ms' | 'text'> | undefined
}

/**
 * `since` is good where its entry is still there (and is `sinceId`), or where it is the head or the birth.
 * The time is a fingerprint and the id the proof: after a failover a log may have numbered anew.
 */
export function locate(since: Position, sinceId: string | undefined, known: Known): Located {
  const { first, last: head } = known
  const lost = (reason: 'trimmed' | 'reset' | 'diverged'): Located => ({ recovered: false, reason, first, head })
  if (since.ms < known.birthMs) return lost('reset')
  if (since.n > head.n) return lost('diverged')
  const entry = known.at(since.n)
  if (entry !== undefined) {
    const same = entry.ms === since.ms && (sinceId === undefined || idOf(entry.text) === sinceId)
    return same ? { recovered: true, missed: head.n - since.n, head } : lost('diverged')
  }
  if (since.n === head.n) return since.ms === head.ms ? { recovered: true, missed: 0, head } : lost('diverged')
  if (since.n === 0) {
    if (since.ms !== known.birthMs) return lost('diverged')
    return known.at(1) === undefined ? lost('trimmed') : { recovered: true, missed: head.n, head }
  }
  return lost('trimmed')
}

const BEFORE_ID = '{"version":"1.0","id":"'.length

/** The id of a delivered envelope: it stands at a fixed place. */
export const idOf = (text: string): string => text.slice(BEFORE_ID, text.indexOf('"', BEFORE_ID))
