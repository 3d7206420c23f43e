/**
 * One log of a Redis driver, as this node sees it: how far it was announced here, what came out of turn, and what is at hand.
 *
 * News of a position come from the answer to an append and from announcements, in any order. They are told in the order of positions: what is one step
 * ahead at once, what is further ahead when the stream has been read up to it, what was told already not again.
 */
import { CodedError, type Position } from '@arqonbus/protocol'
import { chain, type Maybe } from '../../kit/maybe.ts'
import {
  type Bounds,
  type Draft,
  type Entry,
  type Located,
  type Log,
  type LogGap,
  type LogOptions,
  type Page,
  type ReadQuery,
  UNKNOWN,
} from '../contract.ts'
import { type Known, locate } from '../recovery-point.ts'
import { type Announcement, ReorderBuffer } from './reorder-buffer.ts'
import { NOT_WAITED } from './replication.ts'
import { entryOf, type ReadAnswer, type Seen } from './script-replies.ts'
import { createTail, type Tail } from './tail.ts'

/** What a log asks of its driver. */
export type LogHost<Subject, D extends Draft> = {
  /** The lesser of the clocks of this node and of Redis. */
  now(): number
  isAway(): boolean
  append(log: RedisLog<Subject, D>, draft: D): void
  /** A caller waits until this log has been compared with Redis: it comes ahead of logs without waiting callers. */
  need(log: RedisLog<Subject, D>): void
  /** The first announcement since `takeActive`. */
  isActive(log: RedisLog<Subject, D>): void
  /** The next entry; its draft has an outcome with it, or later. */
  delivered(log: RedisLog<Subject, D>, entry: Entry, told: Announcement<D>): void
  /** It was delivered already: its draft has an outcome now. */
  settled(log: RedisLog<Subject, D>, told: Announcement<D>): void
  gap(log: RedisLog<Subject, D>, gap: LogGap): void
  /** A fault that no rule knows. It is told, and ends nothing. */
  failed(problem: unknown): void
  /** Asks Redis; both fail with `storage_unavailable` where it is away. */
  look(log: RedisLog<Subject, D>, at: Position | undefined): Promise<Seen | undefined>
  read(log: RedisLog<Subject, D>, query: ReadQuery): Promise<ReadAnswer>
  /** Ends when everything that was announced before it was called has been heard; fails with `storage_unavailable` too. */
  heard(): Promise<void>
  /** What is at hand of all logs is bounded: hears of each change. */
  kept(log: RedisLog<Subject, D>, messages: number, bytes: number): void
  /** Nothing of it is at hand any more; it was so much. */
  forgot(log: RedisLog<Subject, D>, messages: number, bytes: number): void
  closed(log: RedisLog<Subject, D>, isDeleted: boolean): void
}

const FIRST: Position = { ms: 0, n: 1 }

const NOTHING = { entries: [], hasMore: false, first: undefined }

const PAGE: Pick<ReadQuery, 'limit' | 'maxBytes'> = { limit: 256, maxBytes: 256 * 1024 }

/** A class, because there may be a hundred thousand. */
export class RedisLog<Subject, D extends Draft> implements Log<D> {
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
  /** False from the moment when Redis went away until it was looked at again: it may have lost what was told here. */
  #isCompared = false
  /** True where something was told since this was last taken. */
  #isActive = false
  /** When the expiry of its keys was last extended, on the monotonic clock. */
  touchedAt = Number.NEGATIVE_INFINITY
  /** The last position that a call of this node took in it. */
  #place: Position | undefined
  /** Whoever reads the stream now. */
  #reader: symbol | undefined
  /** Counts the breaks, and the times that Redis went away: a page that was asked for before one says nothing after it. */
  #era = 0
  /** The number ahead that the last page did not reach. */
  #awaited = 0
  #tail: Tail | undefined
  /** The first message that this node appended before Redis went away, and the log was not known; FIRST where that may be any. */
  #ownSince: Position | undefined
  #waiting: { resolve: () => void; reject: (problem: unknown) => void }[] = []

  constructor(host: LogHost<Subject, D>, name: string, subject: Subject, options: LogOptions) {
    this.#host = host
    this.name = name
    this.subject = subject
    this.options = options
  }

  get isKnown(): boolean {
    return this.lastDelivered !== UNKNOWN
  }

  /** True where nothing that is told now can come after something that Redis has lost. */
  get isCurrent(): boolean {
    return this.isKnown && this.#isCompared
  }

  /** True where a caller waits for it, or this node has messages of it at hand. */
  get isInUse(): boolean {
    return this.#waiting.length > 0 || this.#ahead.size > 0 || this.#tail !== undefined
  }

  /** The next announcement counts as the first again. */
  takeActive(): void {
    this.#isActive = false
  }

  /** A call of this node has taken that position; false where that was not later than the one before, as it must be. */
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
    this.#host.need(this)
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  append(draft: D): void {
    this.#host.append(this, draft)
  }

  /** Redis cannot give its head: rejects all callers that wait for it. */
  fail(error: CodedError): void {
    this.#rejectWaiting(error)
  }

  /** Redis has been asked where the log stands. What this node has told is compared with it. */
  seen(seen: Seen): void {
    const { birth, head } = seen
    this.#isCompared = true
    if (!this.isKnown) {
      this.origin = birth
      this.attachedAt = this.#baseIn(seen)
      this.lastDelivered = this.attachedAt
      const waiting = this.#waiting
      this.#waiting = []
      for (const { resolve } of waiting) resolve()
    } else if (this.lastDelivered.ms < birth.ms) {
      this.origin = birth
      this.#rebase('reset', birth)
    } else if (!this.#isIn(seen)) {
      this.origin = birth
      this.#rebase('lost', head)
    } else {
      // What was told is part of the new log already, or the birth is that of a head that was rebuilt.
      this.origin = birth
    }
    this.#tellAhead()
    if (head.n > this.lastDelivered.n || this.#ahead.size > 0) this.#readSoon()
  }

  /** News of a position. */
  hear(told: Announcement<D>): void {
    const { position } = told
    // It is looked at already: which of these come after what was seen shows when that is known.
    if (!this.isCurrent) {
      this.#host.need(this)
      return this.#put(told)
    }
    const { lastDelivered } = this
    if (position.ms < this.origin.ms || (position.n <= lastDelivered.n && position.ms <= lastDelivered.ms))
      return this.#host.settled(this, told)
    if (position.n <= lastDelivered.n || position.ms < lastDelivered.ms) this.#beginAnewBefore(position)
    this.#put(told)
    this.#tellAhead()
    if (this.#ahead.size > 0) this.#readSoon()
  }

  /** Redis is away: what waits for an answer gets none. What came out of turn is there, and is told when the stream is read. */
  away(): void {
    this.#isCompared = false
    // A page that nobody will answer keeps nobody from reading when Redis is back.
    this.#era++
    this.#reader = undefined
    this.#place = undefined
    // Of a hundred thousand logs few have any of these.
    if (this.#waiting.length > 0) this.#rejectWaiting(new CodedError('storage_unavailable'))
    if (this.#ahead.size === 0) return
    if (!this.isKnown) this.#ownSince ??= this.#ahead.firstOwn(0)
    for (const told of this.#ahead.takeAll()) this.#host.settled(this, told)
  }

  /** Redis went away with a message of this node for it, and may have appended that. */
  wasInterrupted(): void {
    if (!this.isKnown) this.#ownSince = FIRST
  }

  #rejectWaiting(error: CodedError): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const { reject } of waiting) reject(error)
  }

  bounds(): Maybe<Bounds> {
    return this.#host
      .look(this, undefined)
      .then((seen) => (seen === undefined ? { first: this.lastDelivered, last: this.lastDelivered } : boundsOf(seen)))
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

  locate(since: Position, sinceId: string | undefined): Maybe<Located> {
    return chain(this.ready(), async () => {
      const asked = since === UNKNOWN ? this.origin : since
      const told = this.lastDelivered
      const seen = await this.#host.look(this, asked.n > 0 ? asked : undefined)
      if (seen !== undefined && this.#isBehind(seen, told)) this.seen(seen)
      // A log that has ended is no longer there.
      const { lastDelivered } = this
      if (seen === undefined)
        return { recovered: false, reason: 'reset', first: lastDelivered, head: lastDelivered, base: lastDelivered }
      return locate(asked, sinceId, {
        ...boundsOf(seen),
        birthMs: seen.birth.ms,
        former: seen.former,
        at: (n) => entryAt(n, asked, seen),
        isEmpty: seen.oldest === undefined,
      })
    })
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

  /** Lets go what is at hand; returns what it was. */
  forget(): void {
    const tail = this.#tail
    this.#tail = undefined
    if (tail !== undefined) this.#host.forgot(this, tail.length, tail.bytes)
  }

  #close(isDeleted: boolean): void {
    if (this.isClosed) return
    this.isClosed = true
    this.away()
    this.forget()
    this.#host.closed(this, isDeleted)
  }

  /** Where a log that was not known begins for this node: what it has appended meanwhile is told, although it was in the log by then. */
  #baseIn({ birth, head }: Seen): Position {
    const before = this.#ownSince
    // Where it is not known which messages are this node's, all of a short log are told.
    if (before === FIRST && head.n <= PAGE.limit) return birth
    const isBefore = before !== undefined && before !== FIRST && before.ms >= birth.ms
    const first = isBefore ? before : this.#ahead.firstOwn(birth.ms)
    if (first === undefined || first.n > head.n) return head
    return first.n === 1 ? birth : { ms: first.ms, n: first.n - 1 }
  }

  /**
   * True if Redis has reset the log or lost its tail. `told` is the last position that was told when Redis was asked. A client that recovers goes on from the position
   * that Redis gives, so the entries that this node holds from before must not be delivered to it.
   */
  #isBehind({ birth, head }: Seen, told: Position): boolean {
    return this.isKnown && (this.lastDelivered.ms < birth.ms || (this.lastDelivered === told && head.n < told.n))
  }

  /** Whether what was told here is what stands in Redis. What is not kept there, or not at hand here, can be compared by its position alone. */
  #isIn({ head, oldest, at }: Seen): boolean {
    const { lastDelivered } = this
    if (head.n < lastDelivered.n) return false
    if (at === undefined) {
      const isKept = oldest !== undefined && oldest.n <= lastDelivered.n
      return lastDelivered.n === 0 || (head.n === lastDelivered.n ? head.ms === lastDelivered.ms : !isKept)
    }
    const own = this.#tail?.last
    return own === undefined || own.n !== lastDelivered.n || own.text.startsWith(at)
  }

  /** Positions are numbered anew, by a log that has lost what was told here. */
  #beginAnewBefore({ ms, n }: Position): void {
    const isReborn = n === 1
    if (isReborn) this.origin = { ms, n: 0 }
    this.#rebase(isReborn ? 'reset' : 'lost', { ms, n: n - 1 })
  }

  /** What was told is not followed by what comes now. */
  #rebase(reason: LogGap['reason'], next: Position): void {
    const after = this.lastDelivered
    this.#era++
    this.#awaited = 0
    this.forget()
    this.lastDelivered = next
    this.#dropStale()
    this.#host.gap(this, { reason, after, next })
  }

  /** Of two news of one number one stays; the other one has its outcome now. */
  #put(told: Announcement<D>): void {
    const other = this.#ahead.put(told)
    if (other !== undefined) this.#host.settled(this, other)
  }

  #tellAhead(): void {
    for (
      let told = this.#ahead.takeNext(this.lastDelivered);
      told !== undefined;
      told = this.#ahead.takeNext(this.lastDelivered)
    ) {
      this.#tell(entryOf(told.position, told.pieces), told)
    }
    this.#dropStale()
  }

  /** What was told has passed it by: its draft has an outcome all the same. */
  #dropStale(): void {
    if (this.#ahead.size === 0) return
    for (const told of this.#ahead.takeStale(this.lastDelivered)) this.#host.settled(this, told)
  }

  #tell(entry: Entry, told: Announcement<D>): void {
    if (!this.#isActive) {
      this.#isActive = true
      this.#host.isActive(this)
    }
    this.lastDelivered = { ms: entry.ms, n: entry.n }
    if (this.options.size > 0) {
      this.#tail ??= createTail(this.options.size)
      const { length, bytes } = this.#tail
      this.#tail.push(entry)
      this.#host.kept(this, this.#tail.length - length, this.#tail.bytes - bytes)
    }
    this.#host.delivered(this, entry, told)
  }

  #readSoon(): void {
    if (this.#reader === undefined) this.#readOn().catch(this.#host.failed)
  }

  /** Reads the stream behind what was told, until nothing is missing any more. What fails here is made up for at the next connect. */
  async #readOn(): Promise<void> {
    const reader = Symbol()
    this.#reader = reader
    try {
      let isBehind = true
      while (isBehind && this.#reader === reader && !this.isClosed) isBehind = await this.#readPage()
    } catch (problem) {
      if (problem instanceof CodedError) return
      throw problem
    } finally {
      if (this.#reader === reader) this.#reader = undefined
    }
    // What came between the last page and this line found a reader that had already looked.
    if (this.#ahead.size > 0 && this.isCurrent && !this.isClosed) this.#readSoon()
  }

  /** One page; true where there is more. */
  async #readPage(): Promise<boolean> {
    const from = this.lastDelivered
    const era = this.#era
    const { entries, hasMore, head } = await this.#host.read(this, { after: from, ...PAGE })
    // A page is often faster than announcements: what it no longer has may be on its way. Only what is missing after those is trimmed.
    const begin = entries[0]?.n ?? (head?.n ?? 0) + 1
    if (era === this.#era && begin > this.lastDelivered.n + 1) await this.#host.heard()
    // Redis went away meanwhile: after that it is looked at first.
    if (this.isClosed || !this.isCurrent) return false
    if (era !== this.#era) return true
    for (const entry of entries) {
      if (this.isClosed) return false
      // Meanwhile news may have told it.
      if (entry.n <= this.lastDelivered.n && entry.ms <= this.lastDelivered.ms) continue
      // The number is used twice, so it is unknown whether messages are missing.
      if (entry.n <= this.lastDelivered.n || entry.ms < this.lastDelivered.ms) this.#beginAnewBefore(entry)
      else if (entry.n > this.lastDelivered.n + 1) this.#rebase('trimmed', { ms: entry.ms, n: entry.n - 1 })
      this.#tellRead(entry)
      if (era !== this.#era) return true
    }
    this.#tellAhead()
    if (hasMore) return true
    const next = this.#ahead.first()
    if (next === undefined) {
      // Nothing is kept of what came since.
      if (head !== undefined && head.n > this.lastDelivered.n) this.#rebase('trimmed', head)
      return false
    }
    // It came while the page was on its way: the next page has what is before it. Where that is not so, it is not kept, or a log that lost it.
    const isBefore = (head?.n ?? 0) < next.n
    if (isBefore && this.#awaited !== next.n) {
      this.#awaited = next.n
      return true
    }
    this.#rebase(isBefore ? 'lost' : 'trimmed', { ms: next.ms, n: next.n - 1 })
    this.#tellAhead()
    return this.#ahead.size > 0
  }

  /** Tells an entry that was read: with its draft, where news of it wait out of turn. */
  #tellRead(entry: Entry): void {
    this.#tell(entry, this.#ahead.takeAt(entry) ?? { ...NOBODY, position: entry })
  }
}

const NOBODY = { pieces: { head: '', body: '', joint: '' }, isOwn: false, draft: undefined, waited: NOT_WAITED }

const boundsOf = ({ head, oldest }: Seen): Bounds => ({ first: oldest ?? head, last: head })

/** What is known of number `n`: of the position that was asked for, what is there; of the last one that has gone, its time; of another, that it is kept. */
function entryAt(n: number, asked: Position, { at, oldest, head, gone }: Seen): ReturnType<Known['at']> {
  if (n === asked.n && at !== undefined) return { ms: asked.ms, text: at }
  if (gone !== undefined && n === gone.n) return gone
  const isKept = oldest !== undefined && n >= oldest.n && n <= head.n
  return isKept ? { ms: -1 } : undefined
}
