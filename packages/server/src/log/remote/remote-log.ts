/**
 * One log in a store, as this node sees it: how far it was delivered here, what came out of turn, and what is at hand.
 *
 *     origin            attachedAt              lastDelivered                                head of the store
 *       │  before this node  │  delivered here; its    │  missing here: read     │  out of turn: in `#ahead`   │
 *       │  opened the log    │  end is in `#tail`      │  in pages               │  until nothing is missing   │
 *
 * News of a position come from the reply to an append and from announcements, in any order. Entries are delivered in
 * the order of positions: what is one step ahead at once, what is further ahead when the log has been read up to it,
 * what was delivered already not again.
 */
import { CodedError, type Position } from '@arqonbus/protocol'
import type { Maybe } from '../../kit/maybe.ts'
import {
  type Bounds,
  type Draft,
  type Entry,
  type Located,
  type Log,
  type LogGap,
  type LogListener,
  type LogOptions,
  type Page,
  type ReadQuery,
  UNKNOWN,
} from '../contract.ts'
import { type Known, locate } from '../recovery-point.ts'
import { closedRefusal } from '../refusals.ts'
import type { AtHand } from './at-hand.ts'
import { AwaitingDuplicates, type Duplicate, isAfter } from './awaiting-duplicates.ts'
import { entryOf } from './encoded-parts.ts'
import type { Inspection, StorePage } from './remote-store.ts'
import { type News, ReorderBuffer } from './reorder-buffer.ts'
import type { Reports } from './reports.ts'
import { Tail } from './tail.ts'

/** What a log needs of its driver. */
export type LogHost<Subject, D extends Draft> = {
  readonly listener: LogListener<Subject, D>
  readonly atHand: Pick<AtHand, 'kept' | 'forgot'>
  readonly reconciler: {
    /**
     * A caller waits until this log has been compared with the store: it comes ahead of logs without waiting callers.
     */
    need(log: RemoteLog<Subject, D>): void
    /** The first delivery since `isActive` was set to false. */
    active(log: RemoteLog<Subject, D>): void
  }
  readonly reports: Pick<Reports, 'failed'>
  /** The lesser of the clocks of this node and of the store. */
  now(): number
  isAway(): boolean
  append(log: RemoteLog<Subject, D>, draft: D): void
  /** All three fail with `storage_unavailable` where the store is away, and where the log is damaged. */
  inspect(log: RemoteLog<Subject, D>, at: Position | undefined): Promise<Inspection | undefined>
  read(log: RemoteLog<Subject, D>, query: ReadQuery): Promise<StorePage>
  redact(log: RemoteLog<Subject, D>, position: Position): Promise<boolean>
  /**
   * Resolves when everything that was announced before it was called has been heard; fails with `storage_unavailable`
   * too.
   */
  flushed(): Promise<void>
  closed(log: RemoteLog<Subject, D>, isDeleted: boolean): void
}

/** The first position of any log. */
export const FIRST: Position = { ms: 0, n: 1 }

const NOTHING = { entries: [], hasMore: false, first: undefined }

const PAGE: Pick<ReadQuery, 'limit' | 'maxBytes'> = { limit: 256, maxBytes: 256 * 1024 }

/** A caller that waits until a log is known. */
type Waiting = { resolve: () => void; reject: (problem: unknown) => void }

/** One reading of what is missing, page by page. */
type Reader = {
  /** The number ahead that the last page did not reach. */
  awaited: number
  /** True where the page that is on its way was requested for duplicates alone: those that it does not reach are lost. */
  isForDuplicates: boolean
}

/** A class, because there may be a hundred thousand. */
export class RemoteLog<Subject, D extends Draft> implements Log<D> {
  readonly name: string
  readonly subject: Subject
  readonly options: LogOptions
  origin = UNKNOWN
  attachedAt = UNKNOWN
  lastDelivered = UNKNOWN
  isClosed = false
  readonly #host: LogHost<Subject, D>
  /** What came out of turn. */
  readonly #ahead = new ReorderBuffer<D>()
  /** Few logs ever have any. */
  #duplicates: AwaitingDuplicates<D> | undefined
  /**
   * False from the moment when the store went away until the log was inspected again: the store may have lost what was
   * delivered here.
   */
  #isCompared = false
  /** True from a delivery on, until the reconciler has taken note. */
  isActive = false
  /** When the expiry of its keys was last extended, on the monotonic clock. */
  touchedAt = Number.NEGATIVE_INFINITY
  /** The last position that a call of this node got in it. */
  #place: Position | undefined
  /** The reader of the log, while there is one. */
  #reader: Reader | undefined
  /**
   * Counts the breaks, and the times that the store went away: a page that was requested before one says nothing after
   * it.
   */
  #era = 0
  #tail: Tail | undefined
  /**
   * The first message that this node appended before the store went away, while the log was not known; FIRST where that
   * may be any.
   */
  #ownSince: Position | undefined
  /** The callers of `ready`. */
  #waiting: Waiting[] = []

  constructor(host: LogHost<Subject, D>, name: string, subject: Subject, options: LogOptions) {
    this.#host = host
    this.name = name
    this.subject = subject
    this.options = options
  }

  get isKnown(): boolean {
    return this.lastDelivered !== UNKNOWN
  }

  /** True where nothing that is delivered now can come after something that the store has lost. */
  get isCurrent(): boolean {
    return this.isKnown && this.#isCompared
  }

  /** True where a caller waits for it, or this node has messages of it at hand. */
  get isInUse(): boolean {
    return this.#waiting.length > 0 || this.#ahead.size > 0 || this.#tail !== undefined
  }

  /** A call of this node got that position; false where that was not later than the one before, as it must be. */
  takePlace(position: Position): boolean {
    const before = this.#place
    const isLater =
      before === undefined || (position.ms === before.ms ? position.n > before.n : position.ms > before.ms)
    if (isLater) this.#place = position
    return isLater
  }

  ready(): Maybe<void> {
    if (this.isKnown) return
    if (this.#host.isAway()) return Promise.reject(new CodedError('storage_unavailable'))
    this.#host.reconciler.need(this)
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  append(draft: D): void {
    this.#host.append(this, draft)
  }

  /** The store cannot give its head: rejects all callers that wait for it. */
  fail(error: CodedError): void {
    for (const { reject } of this.#takeWaiting()) reject(error)
    this.#settleDuplicates()
  }

  /** The store has said where the log begins and ends. What this node has delivered is compared with that. */
  inspected(seen: Inspection): void {
    const { origin, head } = seen
    this.#isCompared = true
    // It changes also where a new log has what was delivered already, and where a head was rebuilt.
    this.origin = origin
    if (!this.isKnown) {
      this.attachedAt = this.#baseIn(seen)
      this.lastDelivered = this.attachedAt
      for (const { resolve } of this.#takeWaiting()) resolve()
    } else if (this.lastDelivered.ms < origin.ms) this.#rebase('reset', origin)
    else if (!this.#isIn(seen)) this.#rebase('lost', head)
    this.#deliverAhead()
    if (head.n > this.lastDelivered.n || this.#isMoreAwaited) this.#readSoon()
  }

  /** News of a position. */
  hear(news: News<D>): void {
    if (this.isClosed) return this.#settle(news)
    const { position } = news
    // It is being inspected: which of these come after what was seen shows when that is known.
    if (!this.isCurrent) {
      this.#host.reconciler.need(this)
      return this.#put(news)
    }
    const { lastDelivered } = this
    if (position.ms < this.origin.ms || (position.n <= lastDelivered.n && position.ms <= lastDelivered.ms))
      return this.#settle(news)
    if (position.n <= lastDelivered.n || position.ms < lastDelivered.ms) this.#beginAnewBefore(position)
    this.#put(news)
    this.#deliverAhead()
    if (this.#ahead.size > 0) this.#readSoon()
  }

  /**
   * The log had this message already. Where its entry is still to be delivered here, because another node has appended
   * it or the log is read after an outage, its outcome follows that.
   */
  hadAlready(duplicate: Duplicate<D>): void {
    if (this.isClosed || !isAfter(duplicate.outcome.position, this.lastDelivered)) return this.#settle(duplicate)
    this.#duplicates ??= new AwaitingDuplicates()
    this.#duplicates.add(duplicate)
    if (this.isCurrent) this.#readSoon()
    else this.#host.reconciler.need(this)
  }

  /**
   * The store is away: what waits for a reply gets none. What came out of turn is in the log, and is delivered when
   * that is read.
   */
  away(): void {
    this.#isCompared = false
    // A page that will not come stops nobody from reading when the store is back.
    this.#era++
    this.#reader = undefined
    this.#place = undefined
    // Few of a hundred thousand logs have any of these.
    if (this.#waiting.length > 0) this.fail(new CodedError('storage_unavailable'))
    else this.#settleDuplicates()
    if (this.#ahead.size === 0) return
    if (!this.isKnown) this.#ownSince ??= this.#ahead.firstOwn(0)
    for (const news of this.#ahead.takeAll()) this.#settle(news)
  }

  /** The store went away with a message of this node for it, and may have appended that. */
  wasInterrupted(): void {
    if (!this.isKnown) this.#ownSince = FIRST
  }

  #takeWaiting(): readonly Waiting[] {
    const waiting = this.#waiting
    this.#waiting = []
    return waiting
  }

  async bounds(): Promise<Bounds> {
    const seen = await this.#host.inspect(this, undefined)
    return seen === undefined ? { first: this.lastDelivered, last: this.lastDelivered } : boundsOf(seen)
  }

  async read(query: ReadQuery): Promise<Page> {
    const { head, oldest, hasMore, entries } = await this.#host.read(this, query)
    const last = head ?? this.lastDelivered
    return { entries, hasMore, first: oldest ?? last, last }
  }

  readAtHand(query: ReadQuery): Page {
    const youngerThan = this.#host.now() - this.options.ttlMs
    const { entries, hasMore, first } = this.#tail?.page(query, youngerThan) ?? NOTHING
    return { entries, hasMore, first: first ?? this.lastDelivered, last: this.lastDelivered }
  }

  recent(n: number, limit: number, maxBytes: number): readonly Entry[] | undefined {
    return n >= this.lastDelivered.n ? [] : this.#tail?.after(n, limit, maxBytes)
  }

  async locate(since: Position, sinceId: string | undefined): Promise<Located> {
    if (!this.isKnown) await this.ready()
    const asked = since === UNKNOWN ? this.origin : since
    const delivered = this.lastDelivered
    const seen = await this.#host.inspect(this, asked.n > 0 ? asked : undefined)
    if (seen !== undefined && this.#isBehind(seen, delivered)) this.inspected(seen)
    // A log that has ended is no longer there.
    const { lastDelivered } = this
    if (seen === undefined)
      return { recovered: false, reason: 'reset', first: lastDelivered, head: lastDelivered, base: lastDelivered }
    return locate(asked, sinceId, {
      ...boundsOf(seen),
      originMs: seen.origin.ms,
      former: seen.former,
      at: (n) => entryAt(n, asked, seen),
      isEmpty: seen.oldest === undefined,
    })
  }

  async redact(position: Position): Promise<boolean> {
    const isKept = await this.#host.redact(this, position)
    if (isKept) this.redacted(position, true)
    return isKept
  }

  /** The message at a position was deleted, by this node or another one, of whose announcement this may be the second. */
  redacted(position: Position, isFirst: boolean): void {
    if (this.isClosed) return
    const bytes = this.#tail?.bytes ?? 0
    const redacted = this.#tail?.redact(position)
    if (this.#tail !== undefined) this.#host.atHand.kept(this, 0, this.#tail.bytes - bytes)
    if (redacted?.isNew ?? isFirst) this.#host.listener.redacted(this.subject, this, position, redacted?.tombstone)
  }

  isEmpty(): boolean {
    const { size, ttlMs } = this.options
    return (
      this.isClosed ||
      (this.isKnown && (this.lastDelivered.n === 0 || size === 0 || this.lastDelivered.ms + ttlMs <= this.#host.now()))
    )
  }

  emptyInMs(): number {
    if (this.isEmpty() || !this.isKnown) return 0
    return this.lastDelivered.ms + this.options.ttlMs - this.#host.now()
  }

  close(): void {
    this.#close(false)
  }

  delete(): void {
    this.#close(true)
  }

  /** Drops what is at hand, and reports how much that was. */
  forget(): void {
    const tail = this.#tail
    this.#tail = undefined
    if (tail !== undefined) this.#host.atHand.forgot(this, tail.length, tail.bytes)
  }

  #close(isDeleted: boolean): void {
    if (this.isClosed) return
    this.isClosed = true
    this.away()
    this.forget()
    this.#host.closed(this, isDeleted)
  }

  /**
   * Where a log that was not known begins for this node: what it has appended meanwhile is delivered, although it was
   * in the log by then.
   */
  #baseIn({ origin, head }: Inspection): Position {
    const before = this.#ownSince
    // Where it is not known which messages are this node's, all of a short log are delivered.
    if (before === FIRST && head.n <= PAGE.limit) return origin
    const isBefore = before !== undefined && before !== FIRST && before.ms >= origin.ms
    const first = isBefore ? before : this.#ahead.firstOwn(origin.ms)
    if (first === undefined || first.n > head.n) return head
    return first.n === 1 ? origin : { ms: first.ms, n: first.n - 1 }
  }

  /**
   * True if the store has reset the log or lost its tail. `delivered` is the last position when the store was asked. A
   * client that recovers goes on from the position that the store gives, so the entries that this node holds from
   * before must not be delivered to it.
   */
  #isBehind({ origin, head }: Inspection, delivered: Position): boolean {
    return (
      this.isKnown && (this.lastDelivered.ms < origin.ms || (this.lastDelivered === delivered && head.n < delivered.n))
    )
  }

  /**
   * Whether what was delivered here is what the store has. What is not kept there, or not at hand here, can be compared
   * by its position alone.
   */
  #isIn({ head, oldest, at }: Inspection): boolean {
    const { lastDelivered } = this
    if (head.n < lastDelivered.n) return false
    if (at === undefined) {
      const isKept = oldest !== undefined && oldest.n <= lastDelivered.n
      return lastDelivered.n === 0 || (head.n === lastDelivered.n ? head.ms === lastDelivered.ms : !isKept)
    }
    const own = this.#tail?.last
    return own === undefined || own.n !== lastDelivered.n || own.text.startsWith(at)
  }

  /** Positions are numbered anew, by a log that has lost what was delivered here. */
  #beginAnewBefore({ ms, n }: Position): void {
    const isReborn = n === 1
    if (isReborn) this.origin = { ms, n: 0 }
    this.#rebase(isReborn ? 'reset' : 'lost', { ms, n: n - 1 })
  }

  /** What was delivered is not followed by what comes now. */
  #rebase(reason: LogGap['reason'], next: Position): void {
    const after = this.lastDelivered
    this.#era++
    if (this.#reader !== undefined) this.#reader.awaited = 0
    this.forget()
    this.lastDelivered = next
    this.#dropStale()
    this.#host.listener.gap(this.subject, this, { reason, after, next })
  }

  /** Keeps news out of turn. Where there are two of one number, one stays, and the other one gets its outcome now. */
  #put(news: News<D>): void {
    const other = this.#ahead.put(news)
    if (other !== undefined) this.#settle(other)
  }

  #deliverAhead(): void {
    let news = this.#ahead.takeNext(this.lastDelivered)
    while (news !== undefined) {
      this.#deliver(entryOf(news.position, news.parts), news)
      news = this.#ahead.takeNext(this.lastDelivered)
    }
    this.#dropStale()
  }

  /** Later positions were delivered: the drafts of what is left behind have an outcome all the same. */
  #dropStale(): void {
    if (this.#duplicates !== undefined) this.#settleDuplicates(this.#duplicates.takeStale(this.lastDelivered))
    if (this.#ahead.size === 0) return
    for (const news of this.#ahead.takeStale(this.lastDelivered)) this.#settle(news)
  }

  #deliver(entry: Entry, { draft, outcome }: Settling<D>): void {
    if (!this.isActive) {
      this.isActive = true
      this.#host.reconciler.active(this)
    }
    this.lastDelivered = { ms: entry.ms, n: entry.n }
    if (this.options.size > 0) {
      this.#tail ??= new Tail(this.options.size)
      const { length, bytes } = this.#tail
      this.#tail.push(entry)
      this.#host.atHand.kept(this, this.#tail.length - length, this.#tail.bytes - bytes)
    }
    this.#host.listener.delivered(this.subject, entry, draft)
    if (draft !== undefined && outcome !== undefined) this.#host.listener.settled(this.subject, draft, outcome)
    if (this.#duplicates !== undefined) this.#settleDuplicates(this.#duplicates.takeAt(entry))
  }

  /** Duplicates whose entry was delivered, or will not be: all, unless it is said which. */
  #settleDuplicates(duplicates = this.#duplicates?.takeAll() ?? []): void {
    if (this.#duplicates?.size === 0) this.#duplicates = undefined
    for (const duplicate of duplicates) this.#settle(duplicate)
  }

  /**
   * Its entry was delivered already, or will not be as this news: its draft has its outcome now, unless that is still
   * to come.
   */
  #settle({ draft, outcome }: Settling<D>): void {
    if (draft === undefined || outcome === undefined) return
    this.#host.listener.settled(this.subject, draft, this.isClosed ? closedRefusal() : outcome)
  }

  /** True where something waits for entries that were not delivered yet. */
  get #isMoreAwaited(): boolean {
    return this.#ahead.size > 0 || this.#duplicates !== undefined
  }

  #readSoon(): void {
    if (this.#reader === undefined) this.#readOn().catch((problem) => this.#host.reports.failed(problem))
  }

  /**
   * Reads the log behind what was delivered, until nothing is missing any more. What fails here is made up for in the
   * next session.
   */
  async #readOn(): Promise<void> {
    const reader: Reader = { awaited: 0, isForDuplicates: false }
    this.#reader = reader
    try {
      let isBehind = true
      while (isBehind && this.#reader === reader && !this.isClosed) isBehind = await this.#readPage(reader)
    } catch (problem) {
      if (!(problem instanceof CodedError)) throw problem
      if (this.#reader === reader) this.#settleDuplicates()
      return
    } finally {
      if (this.#reader === reader) this.#reader = undefined
    }
    // What came between the last page and this line found a reader that had already looked.
    if (this.#isMoreAwaited && this.isCurrent && !this.isClosed) this.#readSoon()
  }

  /** Reads a page and delivers it; true where the next page is to be read. */
  async #readPage(reader: Reader): Promise<boolean> {
    const from = this.lastDelivered
    const era = this.#era
    const { entries, hasMore, head } = await this.#host.read(this, { after: from, ...PAGE })
    // A page is often faster than announcements: what it no longer has may be on its way. Only what is missing after
    // those is trimmed.
    const begin = entries[0]?.n ?? (head?.n ?? 0) + 1
    if (era === this.#era && begin > this.lastDelivered.n + 1) await this.#host.flushed()
    // The store went away meanwhile: after that the log is inspected first.
    if (this.isClosed || !this.isCurrent) return false
    if (era !== this.#era) return true
    const delivered = this.#deliverPage(entries, era)
    if (delivered !== 'all') return delivered === 'outdated'
    this.#deliverAhead()
    return hasMore || this.#isMoreBehind(reader, head)
  }

  /**
   * Delivers the entries of a page that was requested in an era: all of them, or those up to where the log was closed,
   * or the era ended and the page is outdated.
   */
  #deliverPage(entries: readonly Entry[], era: number): 'all' | 'closed' | 'outdated' {
    for (const entry of entries) {
      if (this.isClosed) return 'closed'
      // Meanwhile news may have delivered it.
      if (entry.n <= this.lastDelivered.n && entry.ms <= this.lastDelivered.ms) continue
      // The number is used twice, so it is unknown whether messages are missing.
      if (entry.n <= this.lastDelivered.n || entry.ms < this.lastDelivered.ms) this.#beginAnewBefore(entry)
      else if (entry.n > this.lastDelivered.n + 1) this.#rebase('trimmed', { ms: entry.ms, n: entry.n - 1 })
      this.#deliver(entry, this.#ahead.takeAt(entry) ?? NO_DRAFT)
      if (era !== this.#era) return 'outdated'
    }
    return 'all'
  }

  /**
   * Decides what follows the last page, whose store had this head: true where the next page is to be read. Where
   * messages are missing that no page will have, there is a gap.
   */
  #isMoreBehind(reader: Reader, head: Position | undefined): boolean {
    const next = this.#ahead.first()
    if (next === undefined) {
      // Nothing is kept of what came since.
      if (head !== undefined && head.n > this.lastDelivered.n) this.#rebase('trimmed', head)
      return this.#areDuplicatesBehind(reader)
    }
    // It came while the page was on its way: the next page has what is before it. Where that is not so, it is not kept,
    // or a log that lost it.
    const isBefore = (head?.n ?? 0) < next.n
    if (isBefore && reader.awaited !== next.n) {
      reader.awaited = next.n
      return true
    }
    this.#rebase(isBefore ? 'lost' : 'trimmed', { ms: next.ms, n: next.n - 1 })
    this.#deliverAhead()
    return this.#isMoreAwaited
  }

  /**
   * Duplicates may have come while the page was on its way: what the next one does not have either, the log has lost.
   */
  #areDuplicatesBehind(reader: Reader): boolean {
    if (reader.isForDuplicates) this.#settleDuplicates()
    reader.isForDuplicates = this.#duplicates !== undefined
    return reader.isForDuplicates
  }
}

/** The draft of an entry, with its outcome. */
type Settling<D> = Pick<News<D>, 'draft' | 'outcome'>

const NO_DRAFT = { draft: undefined, outcome: undefined }

const boundsOf = ({ head, oldest }: Inspection): Bounds => ({ first: oldest ?? head, last: head })

/**
 * What is known of number `n`: of the position that was asked for, what is there; of the last one that has gone, its
 * time; of another, that it is kept.
 */
function entryAt(n: number, asked: Position, { at, oldest, head, gone }: Inspection): ReturnType<Known['at']> {
  if (n === asked.n && at !== undefined) return { ms: asked.ms, text: at }
  if (gone !== undefined && n === gone.n) return gone
  const isKept = oldest !== undefined && n >= oldest.n && n <= head.n
  return isKept ? { ms: -1 } : undefined
}
