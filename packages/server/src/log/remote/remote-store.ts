/**
 * The port of a store that keeps logs outside of this process, such as Redis.
 *
 * The store numbers messages, keeps them, recognises repeated ids, and announces to all nodes what was appended. The
 * order in which this node delivers, gaps, batches and outages are in this folder, and the same for every store. A
 * store that follows this file is one folder of a few hundred lines.
 */

import type { DurabilityLevel, Position } from '@arqonbus/protocol'
import type { StorageDriver } from '../../observability/metric-labels.ts'
import type { AppendDurability, Draft, Entry, LogOptions, ReadQuery } from '../contract.ts'
import type { EncodedParts } from './encoded-parts.ts'

/** A store. It can be used while it has a session. */
export type RemoteStore = {
  /** For logs and metrics: `redis`. */
  readonly name: StorageDriver
  /** The name of this node in the store, unlike that of any other and any earlier process. */
  readonly node: string
  /**
   * The name of the bus: the same for all nodes on this store, and another one for another store. Known from the first
   * session on.
   */
  readonly identity: string
  /** Random text that all nodes on this store share; known from the first session on, and until then of this node. */
  readonly secret: string
  /**
   * Undefined while the store cannot be reached. When anything fails or is late the session ends; what was under way
   * then may have been executed or not.
   */
  readonly session: StoreSession | undefined
  /** What the store promises of a write that it answers now; while it is away, what it promised last. */
  readonly level: DurabilityLevel
  /** Replicas that each append waits for before it is answered, and replicas that are connected now. */
  readonly replicasWanted: number
  readonly replicasConnected: number
  /** Appends that are worth having under way at once. */
  readonly callsAtOnce: number
  /** The clock of the store in milliseconds since 1970; infinite where that is not known. */
  now(): number
  /**
   * The announcements of this log are wanted, in this session and in later ones, until it is closed as often as it was
   * opened.
   */
  opened(name: string): void
  closed(name: string): void
  /** Registers the user. Called once, before the first session. */
  use(user: StoreUser): void
  /** Ends the store for good, and its session. */
  close(): void
}

/** What a store calls. */
export type StoreUser = {
  /**
   * A session begins; it is ready when this has resolved, and the announcements of all opened logs are heard. A failure
   * ends it.
   */
  prepare(session: StoreSession): Promise<void>
  /** The session that was prepared is that of the store from now on. */
  ready(): void
  /** The session has ended. */
  away(): void
  /** False where the user knows all of an announcement already: then it is not read. */
  isNews(origin: Origin): boolean
  /**
   * Messages that were announced, for each log in the order of their positions. `origin` is the call that appended
   * them.
   */
  heard(origin: Origin, news: readonly NewsItem[]): void
  /** A message was deleted, by this node. */
  redacted(node: string, name: string, position: Position): void
}

/**
 * The use of a store from one connect to the next failure. Each method that returns a promise fails with a
 * `StoreFault`, also when the session has ended. Any other error is a fault of the code, and counts as `unknown`.
 */
export type StoreSession = {
  /**
   * From now on this generation speaks for the node: calls of earlier ones that were not executed never will be.
   * Resolves to the number of the last call of this node that was executed; 0 where nothing is known of the node.
   */
  fence(generation: number): Promise<number>
  /**
   * Appends messages to logs, for each log all or none of them. Executed only where the call numbered before it was.
   * Each message has a `StoreOutcome`. A log that does not exist begins; one of which the caller knows more than the
   * store has goes on later than all that the caller knows.
   */
  append(call: AppendCall): Promise<AppendReply>
  /**
   * Deletes what a log holds, numbered as `append`. The next log of its name begins later than this one ended. Resolves
   * to the number of messages that went.
   */
  delete(log: StoredLog, call: CallNumber): Promise<number>
  /** Where logs begin and end, one reply for each question. With `begin`, a log that does not exist begins. */
  inspect(questions: readonly Question[], begin: boolean): Promise<readonly Inspected[]>
  /** A page of a log, oldest first. */
  read(log: StoredLog, query: ReadQuery): Promise<StorePage | Damaged>
  /**
   * Has `read` return the tombstone of the message at a position, and announces that to all nodes; false where the
   * message is not kept.
   */
  redact(log: StoredLog, position: Position): Promise<boolean | Damaged>
  /**
   * What is announced of logs. A log is inspected after `subscribed` has resolved: what was announced between would
   * reach no subscriber.
   */
  readonly announcements: {
    /** Resolves when the announcements of these logs, which are open, are heard. */
    subscribed(names: Iterable<string>): Promise<unknown>
    /** Resolves when everything that was announced before the call has been passed to `heard`. */
    flushed(): Promise<void>
  }
  /** Makes calls possible again that failed with `again`. */
  restore(): Promise<void>
  /** A log was closed on this node, and nobody may have it open: what is kept of it can expire earlier. */
  release(log: StoredLog): void
  /** Called every half a minute: what the store notes of this node, such as its generation, must not expire. */
  keep(): void
  /** Ends the session because of a failure. Does nothing where it has ended. */
  end(problem: unknown): void
}

/** A call that failed. */
export class StoreFault extends Error {
  /**
   * What became of the call. `again`: it was not executed, nor any later one, and can be repeated after `restore`.
   * `refused`: it was not executed, and others would not be either. `unknown`: it may have been executed.
   */
  readonly outcome: 'again' | 'refused' | 'unknown'
  /** A word for logs and metrics. */
  readonly code: string
  /** False where only the call is at fault, and the session can go on. */
  readonly endsSession: boolean

  constructor(of: Pick<StoreFault, 'outcome' | 'code' | 'endsSession' | 'cause'>) {
    super(`the store failed: ${of.code}`, { cause: of.cause })
    this.outcome = of.outcome
    this.code = of.code
    this.endsSession = of.endsSession
  }
}

/** A log, as far as this node knows it. */
export type StoredLog = {
  readonly name: string
  readonly options: LogOptions
  /**
   * Where it begins, and the last position that was delivered here: `UNKNOWN`, or more than the store has where that
   * has lost something.
   */
  readonly origin: Position
  readonly lastDelivered: Position
}

/** The number of a call. Numbers of a node are dense, over all generations. */
export type CallNumber = { readonly generation: number; readonly number: number }

/** Messages to append. */
export type AppendCall = CallNumber & {
  /** What the store promised when the call was made. */
  readonly level: DurabilityLevel
  /** The messages of each log, in order. */
  readonly byLog: ReadonlyMap<StoredLog, readonly { readonly draft: Draft | undefined }[]>
}

/** What became of the messages of a call. */
export type AppendReply = {
  /** In the order of `byLog`. */
  readonly outcomes: readonly StoreOutcome[]
  /** Messages that went from the logs, because these were full, by their age, or because their bytes were too many. */
  readonly byLength: number
  readonly byAge: number
  readonly byBytes: number
  /** Damaged logs, by their place in `byLog`. */
  readonly damages: ReadonlyMap<number, Damage>
}

/**
 * What became of one message: `appended` and `duplicate` as in `AppendOutcome`; other content under its id; or its log
 * is damaged.
 */
export type StoreOutcome =
  | ({ readonly kind: 'appended' } & Placed)
  | ({ readonly kind: 'duplicate' } & Placed)
  | { readonly kind: 'conflict' | 'damaged' }

/** Where a message is. */
export type Placed = AppendDurability & { readonly position: Position }

/** A key of a log that holds something that a log cannot use, and what the store says of it. */
export type Damage = { readonly key: string; readonly error: string }

/** The reply for a damaged log. */
export type Damaged = { readonly damage: Damage }

/** A question about one log. */
export type Question = {
  readonly log: StoredLog
  /** The position of a message about which the caller wants to know more. */
  readonly at: Position | undefined
  /** `changed`: it is enough to know that the log is where the caller knows it to be. */
  readonly how: 'all' | 'changed'
}

/** The reply to a question; undefined where the log does not exist. */
export type Inspected = Inspection | 'unchanged' | Damaged | undefined

/** Where a log begins and ends. */
export type Inspection = {
  readonly origin: Position
  readonly head: Position
  /** The oldest message that is kept. */
  readonly oldest: Position | undefined
  /** The head of the envelope at the position that was asked for. */
  readonly at: string | undefined
  /** The message before the oldest, where that is still there. */
  readonly gone: Position | undefined
  /** The last position of the log of its name that was deleted before this one. */
  readonly former: Position | undefined
}

/** A page of a log. */
export type StorePage = {
  /** Undefined where the log does not exist. */
  readonly head: Position | undefined
  readonly oldest: Position | undefined
  readonly hasMore: boolean
  readonly entries: readonly Entry[]
}

/** The call that an announcement tells of. */
export type Origin = {
  /** The node that made it, and its generation and number there. */
  readonly node: string
  readonly generation: string
  readonly call: number
  /** False where the store does not write to its disk what was promised to be there: the level is then `stored`. */
  readonly isOnDisk: boolean
}

/** One message that was announced. */
export type NewsItem = {
  readonly name: string
  readonly position: Position
  /** Its place among the messages of the call. */
  readonly index: number
  readonly parts: EncodedParts
}
