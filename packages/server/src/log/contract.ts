/**
 * The contract of a log: the one place where the messages of a channel get their order.
 *
 * A log is a channel's, a room's broadcast, or a client's inbox. The suite in `@arqonbus/testing` checks what every
 * driver keeps: each append has exactly one outcome; positions are dense and in order; what was appended is delivered
 * in order, once; `read` gives what came later or says that it cannot; the same (sender, id) within the window gives
 * the first position.
 */
import type { CodedError, DurabilityLevel, ParsedEnvelope, Position } from '@arqonbus/protocol'
import type { Maybe } from '../kit/maybe.ts'
import type { Account } from '../limits/accounts.ts'
import type { StorageDriver } from '../observability/metric-labels.ts'

/** A message on its way into a log. */
export type Draft = {
  readonly envelope: ParsedEnvelope
  /** The account of its sender: what is kept of it counts as used by that (docs/protocol.md#budgets). */
  readonly account: Account
  /**
   * True where the sender asked for an acknowledgement: the same id again is recognised
   * (docs/protocol.md#acknowledgement).
   */
  readonly deduplicated: boolean
  /** True where only an external log may accept it: the sender or the channel asked for more than `memory`. */
  readonly requiresDurability: boolean
  /**
   * True where the outcome has to name the position: the sender is answered, or its message is traced. For any other
   * draft a log may leave the position out, which saves an object for each message.
   */
  readonly wantsPosition: boolean
  /**
   * Running time of its arrival in milliseconds, if the caller has read the clock already; otherwise the log reads it.
   */
  readonly arrivedAt?: number | undefined
}

/** A message in a log. */
export type Entry = {
  readonly ms: number
  readonly n: number
  /** The envelope as it is delivered. */
  readonly text: string
}

/** What became of a draft. Each draft has exactly one outcome. */
export type AppendOutcome =
  /** The log has it, at `position`; undefined only where the draft does not want it. */
  | ({ readonly kind: 'appended'; readonly position?: Position | undefined } & AppendDurability)
  /** The log had it already, at `position`; undefined where the first one is queued. */
  | ({ readonly kind: 'duplicate'; readonly position: Position | undefined } & AppendDurability)
  /** The log is away. The message is queued in order; it is delivered, without its draft, when the log is back. */
  | { readonly kind: 'queued' }
  /** The log does not have it, and will not. */
  | { readonly kind: 'refused'; readonly error: CodedError }
  /** The log may have it or not (`outcome_unknown`). */
  | { readonly kind: 'unknown'; readonly error: CodedError }

/** How safe a message is that a log has. */
export type AppendDurability = {
  /** How many replicas have it too; undefined where that was not asked for. */
  readonly replicas?: number | undefined
  /** Where it is; undefined where that is `durabilityOfAccepted`. */
  readonly level?: DurabilityLevel | undefined
}

/** The events of a driver's logs. `subject` is what the user of the driver opened the log with. */
export type LogListener<Subject, D extends Draft> = {
  /**
   * The next entry of a log, to be delivered now: in the order of positions, once for each. `draft` is its draft where
   * it is known to be one of this node's; that is settled in the same tick, or later where replicas are waited for. A
   * draft may also be settled without having been delivered as such.
   */
  delivered(subject: Subject, entry: Entry, draft: D | undefined): void
  /**
   * What became of a draft: exactly once for each, and not before the delivery of its entry where that is still to come
   * from this log.
   */
  settled(subject: Subject, draft: D, outcome: AppendOutcome): void
  /** What was delivered up to `gap.after` is not followed by what comes next, which follows `gap.next`. */
  gap(subject: Subject, log: Log, gap: LogGap): void
  /** The message at a position was deleted: what is read from now on is its tombstone, which may be at hand. */
  redacted(subject: Subject, log: Log, position: Position, tombstone: Entry | undefined): void
}

/** A break in what was delivered (docs/protocol.md#positions-and-gaps). */
export type LogGap = {
  readonly reason: 'trimmed' | 'reset' | 'lost'
  readonly after: Position
  readonly next: Position
}

/** Settings of one log. */
export type LogOptions = {
  /** Messages kept. */
  readonly size: number
  /** Milliseconds that a message is kept. */
  readonly ttlMs: number
  /** Bytes kept: above it the oldest messages are removed. Undefined where only all logs together are bounded. */
  readonly maxBytes?: number
  /** True for an inbox: inboxes have a budget of their own. */
  readonly isInbox?: true
}

/** The bounds of a log. For an empty one `first` is `last`. */
export type Bounds = {
  /** The oldest message that is kept. */
  readonly first: Position
  /** The head: the newest message, or the origin `<ms>-0`. */
  readonly last: Position
}

/** Which messages to read. */
export type ReadQuery = {
  /** Those next after it. */
  readonly after?: Position
  /** The last ones before it. */
  readonly before?: Position
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
  /** True where it is only what the node had at hand. */
  readonly partial?: true
}

/** Whether a client can go on from a position (docs/protocol.md#history-and-recovery). */
export type Located =
  | { readonly recovered: true; readonly missed: number; readonly head: Position }
  | {
      readonly recovered: false
      readonly reason: 'trimmed' | 'reset' | 'diverged'
      readonly first: Position
      readonly head: Position
      /** The position right before the oldest message that the log still has: the client goes on from there. */
      readonly base: Position
      /**
       * True where it is another log that has everything, and the one before it ended at the client's position: nothing
       * was missed.
       */
      readonly isComplete?: true
    }

/** What is known of a log that is not open. */
export type Closed = {
  /** Its head, where it was closed; undefined where it was deleted, and nothing has begun since. */
  readonly head: Position | undefined
  /** The head of the last one of its key that was deleted. */
  readonly former: Position | undefined
}

/** The position of a log of which nothing is known yet. */
export const UNKNOWN: Position = { ms: 0, n: -1 }

/** One log. */
export type Log<D extends Draft = Draft> = {
  /** Where it begins: `<ms>-0`; UNKNOWN until it is known. */
  readonly origin: Position
  /** The head when this node opened the log: nothing up to there is announced here. */
  readonly attachedAt: Position
  /**
   * The position of the last entry that was announced on this node: L. It is that entry's while `delivered` is called
   * for it, and not before.
   */
  readonly lastDelivered: Position
  /** Ends when the head is known, at once where it is; fails with `storage_unavailable` where the log is away. */
  ready(): Maybe<void>
  /** A log that is closed takes nothing more: what comes then, or was on its way, is refused (`channel_not_found`). */
  append(draft: D): void
  /** The bounds as they are now. */
  bounds(): Maybe<Bounds>
  /** A page; fails with `storage_unavailable` where the log is away. */
  read(query: ReadQuery): Maybe<Page>
  /** A page of what the node has at hand, where the log cannot be asked. */
  readAtHand(query: ReadQuery): Page
  /**
   * The entries after `n` that the node has at hand, without a request to the store: the hand-over from history to live
   * needs them in one tick. At most `limit` entries and `maxBytes` bytes, but one at least; undefined where the entry
   * after `n` is not at hand.
   */
  recent(n: number, limit: number, maxBytes: number): readonly Entry[] | undefined
  /** Whether a client that has everything up to `since` can go on from there. `UNKNOWN` means the origin. */
  locate(since: Position, sinceId: string | undefined): Maybe<Located>
  /**
   * Puts a tombstone in place of the message at a position; false where that message is not kept. Where it is a
   * tombstone already, nothing changes. Fails with `storage_unavailable` where the log is away.
   */
  redact(position: Position): Maybe<boolean>
  /** True where nothing is kept any more. */
  isEmpty(): boolean
  /**
   * In how many milliseconds it will be empty, if nothing is added: 0 where it is, and where that is not known. It may
   * be earlier, where messages leave for want of room.
   */
  emptyInMs(): number
  /** True from `close` or `delete` on. */
  readonly isClosed: boolean
  /**
   * Closes the log: nothing of it is announced here any more. Its messages stay as long as the driver keeps them, and a
   * log that is opened under its key later continues at its head, as long as the driver remembers that.
   */
  close(): void
  /**
   * Deletes the log and its messages. A log that is opened under its key later has another origin, unless this one
   * never had a message.
   */
  delete(): void
}

/** A kind of log. */
export type LogDriver<Subject, D extends Draft = Draft> = {
  readonly name: StorageDriver
  /** Who these logs are: positions of another one mean nothing here. */
  readonly identity: string
  /** Random text that all nodes with these logs share, and that is sent to nobody. */
  readonly secret: string
  /** True where every draft has its outcome before `append` returns. */
  readonly isImmediate: boolean
  /** True while the log cannot be reached: what it says then comes from this node. */
  readonly isAway: boolean
  /** True while so much is on its way to it that clients should not publish more. */
  readonly isCongested: boolean
  /** The best level that it can give now. */
  durability(): DurabilityLevel
  /** The level of what it has accepted, also while it is away: an outcome was true when the log gave it. */
  durabilityOfAccepted(): DurabilityLevel
  /** How many replicas it waits for, and has. */
  replicas(): number
  /** Registers the listener. Called once, before the first `open`. */
  listen(listener: LogListener<Subject, D>): void
  open(key: string, subject: Subject, options: LogOptions): Log<D>
  /**
   * What is known of a log that is not open; undefined where that is nothing. Fails with `storage_unavailable` where
   * the log is away.
   */
  closed(key: string): Maybe<Closed | undefined>
  /** Removes what has outlived its time. Called every second. */
  sweep(): void
  /** What it holds. */
  usage(): LogUsage
  /** Ends the driver and its connections. */
  close(): void
}

/** What a driver holds on this node. */
export type LogUsage = {
  readonly messages: number
  /** Bytes of messages of channels and rooms, and of those of inboxes. */
  readonly bytes: number
  readonly inboxBytes: number
  readonly dedupBytes: number
  /** Messages that wait for a log that is away, or on their way to it. */
  readonly queuedMessages: number
  readonly queuedBytes: number
}
