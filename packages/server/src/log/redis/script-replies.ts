/**
 * What the scripts answer, read. Anything that is not in the form that they have is an `UnreadableReply`: the
 * connection is out of step.
 */
import { type DurabilityLevel, type Position, parsePosition } from '@arqonbus/protocol'
import { UnreadableReply } from '../../redis/faults.ts'
import type { AppendDurability, Entry } from '../contract.ts'
import { entryOf } from '../remote/encoded-parts.ts'
import type {
  AppendReply,
  Damage,
  Damaged,
  Inspected,
  NewsItem,
  Origin,
  StoreOutcome,
  StorePage,
} from '../remote/remote-store.ts'

/** `+<ms>-<n>`, `=<ms>-<n>`, `!` or `?`; with what was waited for behind the call. */
function outcomeIn(text: string, { replicas, level }: AppendDurability): StoreOutcome {
  if (text === '!') return { kind: 'conflict' }
  if (text === '?') return { kind: 'damaged' }
  const kind = text.startsWith('+') ? 'appended' : text.startsWith('=') ? 'duplicate' : undefined
  if (kind === undefined) throw new UnreadableReply('no outcome', text)
  return { kind, position: positionIn(text.slice(1)), replicas, level }
}

/** What `append.lua` says of a call. */
export type AppendAnswer = AppendReply & {
  /** The level of its messages; undefined where the call named none, and Redis lowered none. */
  readonly level?: DurabilityLevel | undefined
}

/**
 * What a call asked: its number, how many messages each of its logs was given, and its level; and what was waited for
 * behind it.
 */
type Asked = {
  readonly number: number
  readonly counts: readonly number[]
  readonly level?: DurabilityLevel
  readonly behind?: AppendDurability
}

const CALL_FIELDS = 2
const LOG_FIELDS = 4

/**
 * Reads the answer to a call. Positions of a log must follow each other: a wrong one would be taken for that of another
 * message for ever.
 */
export function appendsIn(answer: unknown, { number, counts, level, behind = {} }: Asked): AppendAnswer {
  if (typeof answer !== 'string') throw new UnreadableReply('no text', answer)
  const [text = '', ...faults] = answer.split('\x1e')
  const parts = text.split(' ')
  const total = counts.reduce((sum, count) => sum + count, 0)
  const isForCall = parts[0] === String(number) && (parts[1] === '1' || parts[1] === '0')
  if (!isForCall || parts.length !== CALL_FIELDS + total + LOG_FIELDS * counts.length) {
    throw new UnreadableReply(`not the answer to call ${number}`, text)
  }
  // The level of when the call was sent, or less where Redis said so when it was executed.
  const waited = { replicas: behind.replicas, level: behind.level ?? (parts[1] === '1' ? level : 'stored') }
  const outcomes = parts.slice(CALL_FIELDS, CALL_FIELDS + total).map((one) => outcomeIn(one, waited))
  let at = CALL_FIELDS + total
  let first = 0
  let byLength = 0
  let byAge = 0
  let byBytes = 0
  for (const count of counts) {
    checkOrder(outcomes.slice(first, first + count), wholeIn(parts[at]), text)
    byLength += wholeIn(parts[at + 1])
    byAge += wholeIn(parts[at + 2])
    byBytes += wholeIn(parts[at + 3])
    first += count
    at += LOG_FIELDS
  }
  return { level: waited.level, outcomes, byLength, byAge, byBytes, damages: new Map(faults.map(damageIn)) }
}

/** What was appended to a log in one call has one time and rising numbers, up to the head of the log. */
function checkOrder(outcomes: readonly StoreOutcome[], last: number, text: string): void {
  let before: Position | undefined
  for (const outcome of outcomes) {
    if (outcome.kind !== 'appended') continue
    const { position } = outcome
    const isNext = before === undefined || (position.n === before.n + 1 && position.ms === before.ms)
    if (!isNext) throw new UnreadableReply('positions that do not follow each other', text)
    before = position
  }
  if (before !== undefined && before.n !== last) throw new UnreadableReply('a position that is not the head', text)
}

function damageIn(text: string): [log: number, damage: Damage] {
  const [log, key, error] = text.split('\x1f')
  if (key === undefined || error === undefined) throw new UnreadableReply('no damage', text)
  return [wholeIn(log), { key, error }]
}

/** A position that Redis gave. */
export function positionIn(text: unknown): Position {
  const position = typeof text === 'string' ? parsePosition(text) : undefined
  if (position === undefined) throw new UnreadableReply('no position', text)
  return position
}

function wholeIn(text: unknown): number {
  if (typeof text !== 'string' || !/^\d{1,15}$/.test(text)) throw new UnreadableReply('no number', text)
  return Number(text)
}

/** `delete.lua`: how many messages went by this call. */
export const deletedIn = (answer: unknown, call: number): number => numberFor('call', call, answer)

/** `fence.lua`: the last call that was done. */
export const fencedIn = (answer: unknown, generation: number): number => numberFor('generation', generation, answer)

/** An answer of one number, which begins with that of its question. */
function numberFor(what: string, asked: number, answer: unknown): number {
  const [own, number] = String(answer).split(' ')
  if (own !== String(asked)) throw new UnreadableReply(`not the answer to ${what} ${asked}`, answer)
  return wholeIn(number)
}

/** The fields that `inspect.lua` gives for each log. */
const LOOK_FIELDS = 7

/** What it says of each log that was asked for. */
export function looksIn(answer: unknown, word: string, count: number): readonly Inspected[] {
  const texts = textsIn(answer, word)
  if (texts.length !== 1 + count * LOOK_FIELDS) throw new UnreadableReply(`not of ${count} logs`, texts.slice(0, 12))
  return Array.from({ length: count }, (_, i) => lookIn(texts, 1 + i * LOOK_FIELDS))
}

type LookFields = [b: string, m: string, n: string, oldest: string, at: string, gone: string, former: string]

function lookIn(texts: readonly string[], start: number): Inspected {
  const [b, m, n, oldest, at, gone, former] = texts.slice(start, start + LOOK_FIELDS) as LookFields
  if (b === '') return undefined
  if (b === '=') return 'unchanged'
  if (b === '?') return { damage: { key: m, error: n } }
  return {
    origin: { ms: wholeIn(b), n: 0 },
    head: { ms: wholeIn(m), n: wholeIn(n) },
    oldest: oldest === '' ? undefined : positionIn(oldest),
    at: at === '' ? undefined : at,
    gone: gone === '' ? undefined : positionIn(gone),
    former: former === '' ? undefined : positionIn(former),
  }
}

/** An answer of several texts, which begins with the word of its question. */
function textsIn(answer: unknown, word: string): readonly string[] {
  if (!Array.isArray(answer) || answer[0] !== word || answer.some((one) => typeof one !== 'string')) {
    throw new UnreadableReply(`not the answer to ${word}`, Array.isArray(answer) ? answer.slice(0, 12) : answer)
  }
  return answer
}

/** The fields before the messages, and those of each. */
const PAGE_FIELDS = 6
const ENTRY_FIELDS = 3

/** What it says. */
export function pageIn(answer: unknown, word: string): StorePage | Damaged {
  const texts = textsIn(answer, word)
  const [, b, m, n, oldest, more] = texts
  if (b === '?' && texts.length === 4) return { damage: { key: m!, error: n! } }
  if (texts.length < PAGE_FIELDS || (texts.length - PAGE_FIELDS) % ENTRY_FIELDS !== 0) {
    throw new UnreadableReply('no page', texts.slice(0, 12))
  }
  const entries: Entry[] = []
  for (let i = PAGE_FIELDS; i < texts.length; i += ENTRY_FIELDS) {
    const position = positionIn(texts[i])
    const before = entries.at(-1)
    // A stream has no other order; an answer that has is not what Redis sent.
    const isLater =
      before === undefined || position.ms > before.ms || (position.ms === before.ms && position.n > before.n)
    if (!isLater) throw new UnreadableReply('positions out of order', [before, position])
    entries.push(entryOf(position, { prefix: texts[i + 1]!, suffix: texts[i + 2]!, glue: '' }))
  }
  return {
    head: b === '' ? undefined : { ms: wholeIn(m), n: wholeIn(n) },
    oldest: oldest === '' ? undefined : positionIn(oldest),
    hasMore: more === '1',
    entries,
  }
}

/** `redact.lua`: whether the message is kept. */
export function redactedIn(answer: unknown, word: string): boolean | Damaged {
  const [, kept, key = '', error = ''] = textsIn(answer, word)
  if (kept === '?') return { damage: { key, error } }
  if (kept !== '0' && kept !== '1') throw new UnreadableReply('not whether a message is kept', kept)
  return kept === '1'
}

/** What `redact.lua` announces: the node, and which message of which log was deleted; undefined for other news. */
export function redactionIn(message: Buffer): { node: string; name: string; position: Position } | undefined {
  if (message[0] !== REDACTION) return undefined
  const [node = '', name = '', at = ''] = message.toString('utf8', 1).split('\x1f')
  const position = parsePosition(at)
  return position && { node, name, position }
}

/** No other news begins with this character. */
const REDACTION = 0x1d

/**
 * Reads the sender of a news message alone: news of an own call that has its reply needs no further reading. No JSON
 * text has the separators.
 */
export function originIn(message: Buffer): Origin {
  const end = message.indexOf('\x1e')
  const fields = message.toString('utf8', 0, end < 0 ? undefined : end).split('\x1f')
  const [node = '', generation = '', call = '', onDisk = ''] = fields
  return { node, generation, call: Number(call), isOnDisk: onDisk === '1' }
}

/** What every message begins with, before and behind its time. */
const PREFIX = '{"version":"'
const SUFFIX = '","payload":'

/** Reads its messages; undefined where another program has published it. */
export function newsIn(message: Buffer): readonly NewsItem[] | undefined {
  const items: NewsItem[] = []
  for (const record of message.toString().split('\x1e').slice(1)) {
    const [name = '', at = '', index = '', prefix = '', suffix] = record.split('\x1f')
    const position = parsePosition(at)
    if (position === undefined || !prefix.startsWith(PREFIX) || suffix?.startsWith(SUFFIX) !== true) return undefined
    items.push({ name, position, index: Number(index), parts: { prefix, suffix, glue: '' } })
  }
  return items
}
