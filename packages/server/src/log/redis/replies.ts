/** What the scripts answer, read. */
import type { Position } from '@arqonbus/protocol'
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
    entries.push(entryOf(positionIn(answer[i]!), answer[i + 1]!, answer[i + 2]!))
  }
  return {
    head: b === '' ? undefined : { ms: Number(m), n: Number(n) },
    oldest: oldest === '' ? undefined : positionIn(oldest),
    hasMore: more === '1',
    entries,
  }
}

/** An entry from its stored parts: `head` up to the timestamp's value, `rest` from behind it to the position's. */
export function entryOf({ ms, n }: Position, head: string, rest: string): Entry {
  return { ms, n, text: seal({ head, body: rest, joint: '' }, isoTime(ms), positionUpToN(ms), n) }
}

/** One message that was announced. */
export type NewsItem = {
  readonly name: string
  readonly position: Position
  readonly index: number
  readonly head: string
  readonly rest: string
}

/** Whose call it was that an announcement tells of. */
export type Origin = { readonly node: string; readonly generation: string; readonly call: number }

/** Reads that alone: of one's own calls that are answered there is nothing to read further. The separators stand in no JSON text. */
export function originIn(message: string): Origin {
  const end = message.indexOf('\x1e')
  const [node = '', generation = '', call = ''] = (end < 0 ? message : message.slice(0, end)).split('\x1f')
  return { node, generation, call: Number(call) }
}

/** Reads its messages; undefined where it is none of ours. */
export function newsIn(message: string): readonly NewsItem[] | undefined {
  const items: NewsItem[] = []
  for (const record of message.split('\x1e').slice(1)) {
    const [name = '', at = '', index = '', head = '', rest] = record.split('\x1f')
    const position = parsePosition(at)
    if (position === undefined || rest === undefined) return undefined
    items.push({ name, position, index: Number(index), head, rest })
  }
  return items
}
