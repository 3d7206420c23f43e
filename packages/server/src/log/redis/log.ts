/**
 * One log of a Redis driver, as this node sees it: how far it was announced here, what came out of turn, and what is at hand.
 *
 * News of a position come from the answer to an append and from announcements, in any order. They are told in the order of positions: what is one step
 * ahead at once, what is further ahead when the stream has been read up to it, what was told already not again.
 */
import { CodedError, type Position } from '@arqonbus/protocol'
import { type Maybe, then } from '../../kit/maybe.ts'
import {
  type Bounds,
  type Break,
  type Draft,
  type Entry,
  type Located,
  type Log,
  type LogOptions,
  type Page,
  type ReadQuery,
  UNKNOWN,
} from '../contract.ts'
import { locate } from '../locate.ts'
import { entryOf, type ReadAnswer, type Seen } from './replies.ts'
import { createTail, type Tail } from './tail.ts'

/** News of one position. */
export type Told<D> = {
  readonly position: Position
  readonly head: string
  readonly rest: string
  /** The draft of this node that it was. */
  readonly draft: D | undefined
  readonly replicas: number | undefined
}

/** What a log asks of its driver. */
export type LogHost<Subject, D extends Draft> = {
  now(): number
  isAway(): boolean
  append(log: RedisLog<Subject, D>, draft: D): void
  /** Tells of the next entry. */
  appended(log: RedisLog<Subject, D>, entry: Entry, told: Told<D>): void
  /** It was told already: its draft has an outcome now. */
  settled(log: RedisLog<Subject, D>, told: Told<D>): void
  broke(log: RedisLog<Subject, D>, gap: Break): void
  /** Asks Redis; both fail with `storage_unavailable` where it is away. */
  look(log: RedisLog<Subject, D>, at: Position | undefined): Promise<Seen>
  read(log: RedisLog<Subject, D>, query: ReadQuery): Promise<ReadAnswer>
  /** What is at hand of all logs is bounded: hears of each change. */
  kept(log: RedisLog<Subject, D>, messages: number, bytes: number): void
  closed(log: RedisLog<Subject, D>, isDeleted: boolean): void
}

const PAGE: Pick<ReadQuery, 'limit' | 'maxBytes'> = { limit: 256, maxBytes: 256 * 1024 }

/** A class, because there may be a hundred thousand. */
export class RedisLog<Subject, D extends Draft> implements Log<D> {
  readonly name: string
  readonly subject: Subject
  readonly options: LogOptions
  birth = UNKNOWN
  base = UNKNOWN
  given = UNKNOWN
  isClosed = false
  readonly #host: LogHost<Subject, D>
  /** Ahead of what was told, by number. */
  readonly #ahead = new Map<number, Told<D>>()
  #isReading = false
  /** The number ahead that the last page did not reach. */
  #awaited = 0
  #tail: Tail | undefined
  #waiting: { resolve: () => void; reject: (problem: unknown) => void }[] = []

  constructor(host: LogHost<Subject, D>, name: string, subject: Subject, options: LogOptions) {
    this.#host = host
    this.name = name
    this.subject = subject
    this.options = options
  }

  get isKnown(): boolean {
    return this.given !== UNKNOWN
  }

  known(): Maybe<void> {
    if (this.isKnown) return
    if (this.#host.isAway()) return Promise.reject(new CodedError('storage_unavailable'))
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  append(draft: D): void {
    this.#host.append(this, draft)
  }

  /** Redis has been asked where the log stands. What this node has told is compared with it. */
  seen({ birth, head, at }: Seen): void {
    if (!this.isKnown) {
      this.birth = birth
      // What this node has appended since it opened the log is told, although it was in it by now.
      const first = Math.min(...[...this.#ahead.values()].map(({ position, draft }) => (draft ? position.n : Infinity)))
      this.base =
        first > head.n ? head : first === 1 ? birth : { ms: this.#ahead.get(first)!.position.ms, n: first - 1 }
      this.given = this.base
      const waiting = this.#waiting
      this.#waiting = []
      for (const { resolve } of waiting) resolve()
    } else if (birth.ms !== this.birth.ms) {
      this.birth = birth
      this.#rebase('reset', birth)
    } else if (head.n < this.given.n || !this.#isSame(at)) {
      this.#rebase('lost', head)
    }
    if (head.n > this.given.n) void this.#readOn()
    else this.#tellAhead()
  }

  /** News of a position. */
  hear(told: Told<D>): void {
    const { position } = told
    if (!this.isKnown) {
      // It is looked at already; which of these come after what was seen then shows when that is known.
      this.#ahead.set(position.n, told)
      return
    }
    if (position.n <= this.given.n) {
      if (position.ms <= this.given.ms) return this.#host.settled(this, told)
      // Numbered anew, by a log that has lost what was told here.
      const isReborn = position.n === 1
      if (isReborn) this.birth = { ms: position.ms, n: 0 }
      this.#rebase(isReborn ? 'reset' : 'lost', { ms: position.ms, n: position.n - 1 })
    }
    // Of two tellings of one position that with the draft stays.
    if (told.draft !== undefined || !this.#ahead.has(position.n)) this.#ahead.set(position.n, told)
    this.#tellAhead()
    if (this.#ahead.size > 0) void this.#readOn()
  }

  /** Redis is away: what waits for an answer gets none. What came out of turn is there, and is told when the stream is read. */
  away(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const { reject } of waiting) reject(new CodedError('storage_unavailable'))
    for (const told of this.#ahead.values()) this.#host.settled(this, told)
    this.#ahead.clear()
  }

  bounds(): Maybe<Bounds> {
    return this.#host.look(this, undefined).then(boundsOf)
  }

  async read(query: ReadQuery): Promise<Page> {
    const { head, oldest, hasMore, entries } = await this.#host.read(this, query)
    const last = head ?? this.given
    return { entries, hasMore, first: oldest ?? last, last }
  }

  readAtHand(query: ReadQuery): Page {
    const entries = this.#tail?.page(query) ?? { entries: [], hasMore: false, first: undefined }
    return { entries: entries.entries, hasMore: entries.hasMore, first: entries.first ?? this.given, last: this.given }
  }

  recent(n: number, limit: number, maxBytes: number): readonly Entry[] | undefined {
    return n >= this.given.n ? [] : this.#tail?.after(n, limit, maxBytes)
  }

  locate(since: Position, sinceId: string | undefined): Maybe<Located> {
    return then(this.known(), async () => {
      const asked = since === UNKNOWN ? this.birth : since
      const seen = await this.#host.look(this, asked.n > 0 ? asked : undefined)
      const { first, last } = boundsOf(seen)
      return locate(asked, sinceId, { first, last, birthMs: seen.birth.ms, at: (n) => entryAt(n, asked, seen) })
    })
  }

  isEmpty(): boolean {
    return this.isKnown && (this.given.n === 0 || this.given.ms + this.options.ttlMs <= this.#host.now())
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
    if (tail !== undefined) this.#host.kept(this, -tail.length, -tail.bytes)
  }

  #close(isDeleted: boolean): void {
    if (this.isClosed) return
    this.isClosed = true
    this.away()
    this.forget()
    this.#host.closed(this, isDeleted)
  }

  /** Whether what stands at `given` is what was told here. What is not at hand, or not kept there, cannot be compared. */
  #isSame(at: string | undefined): boolean {
    const own = this.#tail?.last
    return at === undefined || own === undefined || own.n !== this.given.n || own.text.startsWith(at)
  }

  /** What was told is not followed by what comes now. */
  #rebase(reason: Break['reason'], next: Position): void {
    const after = this.given
    this.forget()
    this.given = next
    for (const [n, told] of this.#ahead) if (told.position.ms < next.ms || n <= next.n) this.#drop(n, told)
    this.#host.broke(this, { reason, after, next })
  }

  #drop(n: number, told: Told<D>): void {
    this.#ahead.delete(n)
    this.#host.settled(this, told)
  }

  #tellAhead(): void {
    if (this.#ahead.size === 0) return
    for (;;) {
      const told = this.#ahead.get(this.given.n + 1)
      if (told === undefined) break
      this.#ahead.delete(this.given.n + 1)
      this.#tell(entryOf(told.position, told.head, told.rest), told)
    }
    for (const [n, told] of this.#ahead) if (n <= this.given.n || told.position.ms < this.birth.ms) this.#drop(n, told)
  }

  #tell(entry: Entry, told: Told<D>): void {
    this.given = { ms: entry.ms, n: entry.n }
    this.#tail ??= createTail()
    const { length, bytes } = this.#tail
    this.#tail.push(entry)
    this.#host.kept(this, this.#tail.length - length, this.#tail.bytes - bytes)
    this.#host.appended(this, entry, told)
  }

  /** Reads the stream behind what was told, until nothing is missing any more. What fails here is made up for at the next connect. */
  async #readOn(): Promise<void> {
    if (this.#isReading) return
    this.#isReading = true
    try {
      for (let isBehind = true; isBehind && !this.isClosed; ) isBehind = await this.#readPage()
    } catch (problem) {
      if (!(problem instanceof CodedError)) throw problem
    } finally {
      this.#isReading = false
    }
  }

  /** One page; true where there is more. */
  async #readPage(): Promise<boolean> {
    const from = this.given
    const { entries, hasMore, head } = await this.#host.read(this, { after: from, ...PAGE })
    for (const entry of entries) {
      // Meanwhile news may have told it.
      if (entry.n <= this.given.n) continue
      if (entry.n > this.given.n + 1) this.#rebase('trimmed', { ms: entry.ms, n: entry.n - 1 })
      const told = this.#ahead.get(entry.n)
      this.#ahead.delete(entry.n)
      this.#tell(entry, told ?? { position: entry, head: '', rest: '', draft: undefined, replicas: undefined })
    }
    this.#tellAhead()
    if (hasMore) return true
    const next = this.#ahead.size === 0 ? undefined : Math.min(...this.#ahead.keys())
    if (next === undefined) {
      // Nothing is kept of what came since.
      if (this.given === from && head !== undefined && head.n > from.n) this.#rebase('trimmed', head)
      return false
    }
    // It came while the page was on its way: the next page has what is before it. Where that is not so, it is not kept, or a log that lost it.
    const isBefore = (head?.n ?? 0) < next
    if (isBefore && this.#awaited !== next) {
      this.#awaited = next
      return true
    }
    const { position } = this.#ahead.get(next)!
    this.#rebase(isBefore ? 'lost' : 'trimmed', { ms: position.ms, n: position.n - 1 })
    this.#tellAhead()
    return this.#ahead.size > 0
  }
}

const boundsOf = ({ head, oldest }: Seen): Bounds => ({ first: oldest ?? head, last: head })

/** What stands at number `n`: of the position that was asked for it is known, of another only that it is another. */
function entryAt(n: number, asked: Position, { at, oldest, head }: Seen): Pick<Entry, 'ms' | 'text'> | undefined {
  if (n === asked.n && at !== undefined) return { ms: asked.ms, text: at }
  const isKept = oldest !== undefined && n >= oldest.n && n <= head.n
  return isKept ? { ms: -1, text: '' } : undefined
}
