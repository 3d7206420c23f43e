/** A driver that is listened to: its events, and short ways to ask it. */
import { expect } from 'bun:test'
import type { Position } from '@arqonbus/protocol'
import type { AppendOutcome, Draft, Entry, Log, LogGap, LogOptions, Page, ReadQuery } from '@arqonbus/server'
import { draftOf, type Message } from './draft.ts'
import { plain } from './outline.ts'
import type { LogUnderTest } from './under-test.ts'

/** An event that a driver reported. An entry that is delivered and settled in one step is one of these. */
export type LogEvent =
  /** An entry was delivered; with its draft where that was settled in the same step. */
  | {
      readonly kind: 'appended'
      readonly subject: string
      readonly entry: Entry
      readonly draft: Draft | undefined
      readonly given: Position
    }
  /** A draft was settled as appended, apart from the delivery of its entry. */
  | { readonly kind: 'confirmed'; readonly subject: string; readonly position: Position; readonly draft: Draft }
  | ({ readonly subject: string; readonly draft: Draft } & Exclude<AppendOutcome, { kind: 'appended' }>)
  | { readonly kind: 'gap'; readonly subject: string; readonly gap: LogGap; readonly draft: undefined }
  | {
      readonly kind: 'redacted'
      readonly subject: string
      readonly position: Position
      readonly tombstone: Entry | undefined
      readonly draft: undefined
    }

/** A query whose positions are given by their numbers. */
type Query = Partial<Omit<ReadQuery, 'after' | 'before'>> & { after?: number; before?: number }

/** Options under which a test that is not about them keeps everything. */
export const ROOMY: LogOptions = { size: 100, ttlMs: 3_600_000 }
/** The bounds of a query that takes everything. */
export const NO_LIMIT = { limit: 1000, maxBytes: 1_000_000 }

/** Listens to a driver and notes all that it tells. */
export function watchLog({ driver, settle }: LogUnderTest) {
  const events: LogEvent[] = []
  const logs = new Map<string, Log>()
  let count = 0
  /** The draft of the entry that was delivered last, until something else happens. */
  let delivered: Draft | undefined
  const report = (one: LogEvent) => {
    delivered = undefined
    events.push(one)
  }
  driver.listen({
    delivered(subject, entry, draft) {
      report({ kind: 'appended', subject, entry, draft: undefined, given: logs.get(subject)!.lastDelivered })
      delivered = draft
    },
    settled(subject, draft, outcome) {
      const last = events.at(-1)
      if (outcome.kind !== 'appended') report({ subject, draft, ...outcome })
      else if (last?.kind !== 'appended' || delivered !== draft)
        report({ kind: 'confirmed', subject, position: outcome.position!, draft })
      else {
        delivered = undefined
        expect(plain(outcome.position!)).toEqual(plain(last.entry))
        events[events.length - 1] = { ...last, draft }
      }
    },
    gap: (subject, _log, gap) => report({ kind: 'gap', subject, gap, draft: undefined }),
    redacted: (subject, _log, position, tombstone) =>
      report({ kind: 'redacted', subject, position: plain(position), tombstone, draft: undefined }),
  })
  /** Opens one without waiting until it is known. */
  const begin = (key = 'science:general', options: Partial<LogOptions> = {}): Log => {
    const log = driver.open(key, key, { ...ROOMY, ...options })
    logs.set(key, log)
    return log
  }
  const open = async (key?: string, options?: Partial<LogOptions>): Promise<Log> => {
    const log = begin(key, options)
    await log.ready()
    return log
  }
  /** Appends and waits for the outcome. */
  const append = async (log: Log, message: Message = {}): Promise<LogEvent> => {
    const draft = draftOf({ id: `arq_${++count}`, ...message })
    log.append(draft)
    await settle()
    return outcomeOf(draft)
  }
  const fill = async (log: Log, messages: number, message: Message = {}) => {
    for (let i = 0; i < messages; i++) await append(log, message)
  }
  const answer = async <T>(asked: T | Promise<T>): Promise<T> => {
    await settle()
    return asked
  }
  /** The position of a number: as it was reported, else the origin, or what would follow the head. */
  const positionOf = (log: Log, n: number): Position => {
    for (const one of events) {
      if (one.kind === 'appended' && one.entry.n === n && logs.get(one.subject) === log) return plain(one.entry)
    }
    return n <= 0 ? log.origin : { ms: log.lastDelivered.ms, n }
  }
  const read = (log: Log, { after, before, ...query }: Query = {}): Promise<Page> =>
    answer(
      log.read({
        ...NO_LIMIT,
        ...query,
        ...(after !== undefined && { after: positionOf(log, after) }),
        ...(before !== undefined && { before: positionOf(log, before) }),
      }),
    )
  /** What became of a draft that has an outcome. */
  const outcomeOf = (draft: Draft): LogEvent => {
    const outcomes = events.filter((one) => one.draft === draft)
    expect(outcomes).toHaveLength(1)
    return outcomes[0]!
  }
  const redact = (log: Log, n: number): Promise<boolean> => answer(log.redact(positionOf(log, n)))
  return { driver, events, redact, positionOf, begin, open, append, fill, answer, read, settle, outcomeOf }
}

/** The entry of an outcome. */
export function entryOf(event: LogEvent): Entry {
  if (event.kind !== 'appended') throw new Error(`${event.kind}, not appended`)
  return event.entry
}

/** True for an announcement. */
export const isAppended = (event: LogEvent): event is Extract<LogEvent, { kind: 'appended' }> =>
  event.kind === 'appended'

/** The numbers that were announced, in order. */
export const announced = (events: readonly LogEvent[], subject?: string): number[] =>
  events
    .filter(isAppended)
    .filter((one) => subject === undefined || one.subject === subject)
    .map(({ entry }) => entry.n)
