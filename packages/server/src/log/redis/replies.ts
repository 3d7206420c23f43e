/** What the scripts answer, read. */
import type { Position, ReadEnvelope } from '@arqonbus/protocol'
import { parsePosition, seal } from '@arqonbus/protocol'
import { isoTime, positionUpToN } from '../../kit/clock.ts'
import type { Entry } from '../contract.ts'

/** What became of one message of a call. */
export type Outcome =
  | { readonly kind: 'appended' | 'repeated'; readonly position: Position }
  | { readonly kind: 'conflict' }

/** `+<ms>-<n>`, `=<ms>-<n>` or `!`. */
export function outcomeIn(text: string): Outcome {
  if (text === '!') return { kind: 'conflict' }
  return { kind: text.startsWith('+') ? 'appended' : 'repeated', position: positionIn(text.slice(1)) }
}

/** What `append.lua` says of a call: of each of its messages what `outcomeIn` reads, and how many messages went from the logs, by length and by age. */
export function appendsIn(answer: string, count: number): { outcomes: string[]; byLength: number; byAge: number } {
  const parts = answer.split(' ')
  let byLength = 0
  let byAge = 0
  for (let i = count; i < parts.length; i += 2) {
    byLength += Number(parts[i])
    byAge += Number(parts[i + 1])
  }
  return { outcomes: parts.slice(0, count), byLength, byAge }
}

/** A position that Redis gave; anything else is a broken invariant. */
export function positionIn(text: string): Position {
  const position = parsePosition(text)
  if (position === undefined) throw new TypeError(`no position: ${text}`)
  return position
}

/** How `look.lua` sees a log. */
export type Seen = {
  readonly birth: Position
  readonly head: Position
  /** The oldest message that is kept. */
  readonly oldest: Position | undefined
  /** The head of the envelope that stands where it was asked. */
  readonly at: string | undefined
}

/** The fields that `look.lua` gives for each log. */
export const LOOK_FIELDS = 5

/** What it says of the log number `i`; undefined where there is none. */
export function seenIn(answer: readonly string[], i: number): Seen | undefined {
  const [b, m, n, oldest, at] = answer.slice(i * LOOK_FIELDS, (i + 1) * LOOK_FIELDS) as [
    string,
    string,
    string,
    string,
    string,
  ]
  if (b === '') return undefined
  return {
    birth: { ms: Number(b), n: 0 },
    head: { ms: Number(m), n: Number(n) },
    oldest: oldest === '' ? undefined : positionIn(oldest),
    at: at === '' ? undefined : at,
  }
}

/** A page, as `read.lua` gives it. */
export type ReadAnswer = {
  /** Undefined where there is no log. */
  readonly head: Position | undefined
  readonly oldest: Position | undefined
  readonly hasMore: boolean
  readonly entries: readonly Entry[]
}

/** The fields before the messages. */
const PAGE_FIELDS = 5

/** What `read.lua` says. */
export function pageIn(answer: readonly string[]): ReadAnswer {
  const [b, m, n, oldest, more] = answer as [string, string, string, string, string]
  const entries: Entry[] = []
  for (let i = PAGE_FIELDS; i < answer.length; i += 3) {
    entries.push(entryOf(positionIn(answer[i]!), { head: answer[i + 1]!, body: answer[i + 2]!, joint: '' }))
  }
  return {
    head: b === '' ? undefined : { ms: Number(m), n: Number(n) },
    oldest: oldest === '' ? undefined : positionIn(oldest),
    hasMore: more === '1',
    entries,
  }
}

/** A message but for its time and its position: what stands before the first, between the two, and (`joint`, stored with `body`) right before the second. */
export type Pieces = Pick<ReadEnvelope, 'head' | 'body' | 'joint'>

/** An entry as it is delivered. */
export const entryOf = ({ ms, n }: Position, pieces: Pieces): Entry => ({
  ms,
  n,
  text: seal(pieces, isoTime(ms), positionUpToN(ms), n),
})

/** One message that was announced. */
export type NewsItem = {
  readonly name: string
  readonly position: Position
  readonly index: number
  readonly pieces: Pieces
}

/** Whose call it was that an announcement tells of. */
export type Origin = { readonly node: string; readonly generation: string; readonly call: number }

/** Reads that alone: of one's own calls that are answered there is nothing to read further. The separators stand in no JSON text. */
export function originIn(message: Buffer): Origin {
  const end = message.indexOf('\x1e')
  const [node = '', generation = '', call = ''] = message.toString('utf8', 0, end < 0 ? undefined : end).split('\x1f')
  return { node, generation, call: Number(call) }
}

/** Reads its messages; undefined where it is none of ours. */
export function newsIn(message: Buffer): readonly NewsItem[] | undefined {
  const items: NewsItem[] = []
  for (const record of message.toString().split('\x1e').slice(1)) {
    const [name = '', at = '', index = '', head = '', body] = record.split('\x1f')
    const position = parsePosition(at)
    if (position === undefined || body === undefined) return undefined
    items.push({ name, position, index: Number(index), pieces: { head, body, joint: '' } })
  }
  return items
}
