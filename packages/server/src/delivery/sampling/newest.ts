/**
 * Reads the newest message of each key in logs, from their ends backwards (docs/protocol.md#snapshots). Work is bounded:
 * pages of a log, a slice of the loop's time for each, and so many messages, keys and bytes altogether.
 */
import { CodedError, keyOf, type Position } from '@arqonbus/protocol'
import type { FairQueue, Pieces } from '../../kit/fair-queue.ts'
import type { Entry, Log, Page, ReadQuery } from '../../log/contract.ts'
import type { LimitName } from '../../observability/metric-labels.ts'

/** A part of a log. */
export type LogRange = {
  readonly log: Log
  /** The last message before it; undefined: from the first that the log has. */
  readonly after: Position | undefined
  /** The last message of it. */
  readonly upTo: Position
}

/** How much is read. */
export type NewestLimits = {
  /** Messages that are read. */
  readonly maxMessages: number
  /** Keys, and so messages, that are found. */
  readonly maxKeys: number
  /** Bytes of what is found. */
  readonly maxBytes: number
}

/** What was found: log by log, each in the order of positions. */
export type Newest = {
  readonly texts: readonly string[]
  /** False where a key may be missing. */
  readonly isComplete: boolean
  /** The limits that were reached. */
  readonly reached: ReadonlySet<LimitName>
}

/** What reading needs. */
type NewestDeps = {
  readonly turns: Pick<FairQueue, 'run'>
  readonly limits: NewestLimits
  /** False once nobody waits for it any more. */
  readonly isWanted: () => boolean
}

const PAGE_ENTRIES = 256
const PAGE_BYTES = 256 * 1024
/** Entries that are looked at in one piece. */
const STEPS = 32

type Found = { messages: number; keys: number; bytes: number; isComplete: boolean; readonly reached: Set<LimitName> }

/** Reads the newest message of each key. */
export async function readNewest(ranges: readonly LogRange[], deps: NewestDeps): Promise<Newest> {
  const found: Found = { messages: 0, keys: 0, bytes: 0, isComplete: true, reached: new Set() }
  const texts: string[] = []
  for (const range of ranges) {
    if (found.reached.size > 0 || !deps.isWanted()) break
    const inLog = await readLog(range, deps, found)
    for (const { text } of inLog.reverse()) texts.push(text)
  }
  return { texts, isComplete: found.isComplete && found.reached.size === 0, reached: found.reached }
}

/** Newest first. */
async function readLog({ log, after, upTo }: LogRange, deps: NewestDeps, found: Found): Promise<Entry[]> {
  const entries: Entry[] = []
  const seen = new Set<string | undefined>()
  let before: Position = { ms: upTo.ms, n: upTo.n + 1 }
  while (upTo.n > (after?.n ?? 0) && !log.isClosed && deps.isWanted()) {
    const page = await readPage(log, { before, limit: PAGE_ENTRIES, maxBytes: PAGE_BYTES }, found)
    const first = page.entries[0]
    const isEnd = first === undefined || !page.hasMore || first.n <= (after?.n ?? 0) + 1
    await deps.turns.run(() => lookThrough(page.entries, after, { entries, seen, found, limits: deps.limits }))
    if (isEnd || found.reached.size > 0) break
    before = { ms: first.ms, n: first.n }
  }
  return entries
}

/** What the log says; where it cannot be read, what is at hand, which may not be all. */
async function readPage(log: Log, query: ReadQuery, found: Found): Promise<Page> {
  try {
    return await log.read(query)
  } catch (problem) {
    if (!(problem instanceof CodedError)) throw problem
    found.isComplete = false
    return log.readAtHand(query)
  }
}

type Looking = {
  readonly entries: Entry[]
  readonly seen: Set<string | undefined>
  readonly found: Found
  readonly limits: NewestLimits
}

function* lookThrough(page: readonly Entry[], after: Position | undefined, looking: Looking): Pieces<void> {
  const { entries, seen, found, limits } = looking
  for (const entry of page.toReversed()) {
    if (after !== undefined && entry.n <= after.n) return
    if (found.messages++ >= limits.maxMessages) return void found.reached.add('snapshot_messages')
    const key = keyOf(entry.text)
    if (seen.has(key)) continue
    if (found.keys >= limits.maxKeys) return void found.reached.add('sampled_keys')
    const bytes = found.bytes + entry.text.length
    if (bytes > limits.maxBytes && found.keys > 0) return void found.reached.add('sampled_bytes')
    seen.add(key)
    entries.push(entry)
    found.keys++
    found.bytes = bytes
    if (found.messages % STEPS === 0) yield
  }
}
