/**
 * The contract of a log: the one place where the messages of a channel get their order.
 *
 * A log is a channel's, a room's broadcast, or a client's inbox. The suite in `@arqonbus/testing` states what every driver keeps:
 * each append has exactly one outcome (appended, repeated, refused); positions are dense and in order; what was appended is announced in order, once;
 * `read` gives what came later or says that it cannot; the same (sender, id) within the window gives the first position.
 */
import type { CodedError, DurabilityLevel, Position, ReadEnvelope } from '@arqonbus/protocol'
import type { Maybe } from '../kit/maybe.ts'

/** A message on its way into a log. */
export type Draft = {
  readonly envelope: ReadEnvelope
  /** True where the sender asked for an acknowledgement: the same id again is recognised (protocol §5). */
  readonly remembered: boolean
}

/** A message that a log has taken. */
export type Entry = {
  readonly ms: number
  readonly n: number
  /** The envelope as it is delivered. */
  readonly text: string
}

/** What a driver tells of its logs. Every draft meets exactly one of the three, with its own draft; entries of other nodes come without one. */
export type LogListener<Subject, D extends Draft> = {
  /** The log has it. Called in the order of positions, once for each. */
  appended(subject: Subject, entry: Entry, draft: D | undefined): void
  /** The log had it already, at `position`. */
  repeated(subject: Subject, position: Position, draft: D): void
  /** The log did not take it, or does not know (`outcome_unknown`). */
  refused(subject: Subject, error: CodedError, draft: D): void
}

/** Settings of one log. */
export type LogOptions = {
  /** Messages kept. */
  readonly size: number
  /** Milliseconds that a message is kept. */
  readonly ttlMs: number
}

/** The bounds of a log. For an empty one `first` is `last`. */
export type Bounds = {
  /** The oldest message that is kept. */
  readonly first: Position
  /** The head: the newest message, or the birth `<ms>-0`. */
  readonly last: Position
}

/** Which messages to read; numbers are the `n` of positions. */
export type ReadQuery = {
  /** Those next after it. */
  readonly after?: number
  /** The last ones before it. */
  readonly before?: number
  /** Without `after` and `before`: from which end. */
  readonly from?: 'oldest' | 'newest'
  readonly limit: number
  /** The page ends before this many bytes, but holds one message at least. */
  readonly maxBytes: number
}

/** A page, oldest first whatever was asked for. */
export type Page = Bounds & {
  readonly entries: readonly Entry[]
  /** Whether there is more in the direction of the query. */
  readonly hasMore: boolean
}

/** Whether a client can go on from a position (protocol §5, recovery). */
export type Located =
  | { readonly recovered: true; readonly missed: number; readonly head: Position }
  | {
      readonly recovered: false
      readonly reason: 'trimmed' | 'reset' | 'diverged' | 'too_far'
      readonly first: Position
      readonly head: Position
    }

/** One log. */
export type Log<D extends Draft = Draft> = {
  /** Where it begins: `<ms>-0`. */
  readonly birth: Position
  /** The position of the last entry that was announced on this node: L. It is that entry's while `appended` tells of it, and not before. */
  readonly given: Position
  /** A log that is closed takes nothing more: what comes then, or was on its way, is refused (`channel_not_found`). */
  append(draft: D): void
  /** The bounds as they are now. */
  bounds(): Maybe<Bounds>
  /** A page. */
  read(query: ReadQuery): Maybe<Page>
  /**
   * What was given after `n`, from what the node has at hand, without asking anybody: the hand-over from history to live needs it in one tick.
   * At most `limit` entries and `maxBytes` bytes, but one at least; undefined where the entry after `n` is not at hand.
   */
  recent(n: number, limit: number, maxBytes: number): readonly Entry[] | undefined
  /** Whether a client that has everything up to `since` can go on from there. */
  locate(since: Position, sinceId: string | undefined): Maybe<Located>
  /** True where nothing is kept any more. */
  isEmpty(): boolean
  /** True from `close` on. */
  readonly isClosed: boolean
  /** Ends the log: what it held is gone, and nothing of it is announced any more. */
  close(): void
}

/** A kind of log. */
export type LogDriver<Subject, D extends Draft = Draft> = {
  readonly name: string
  /** Who these logs are: positions of another one mean nothing here. */
  readonly identity: string
  /** True where every draft has its outcome before `append` returns. */
  readonly isImmediate: boolean
  /** The best level that it can give now. */
  durability(): DurabilityLevel
  /** Who hears of everything. Called once, before the first `open`. */
  listen(listener: LogListener<Subject, D>): void
  open(key: string, subject: Subject, options: LogOptions): Log<D>
  /** Lets go what has outlived its time. Called every second. */
  sweep(): void
  /** What it holds. */
  usage(): { readonly messages: number; readonly bytes: number; readonly dedupBytes: number }
}
