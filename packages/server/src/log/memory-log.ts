/**
 * The log in the memory of this process: it answers at once. What it acknowledges is at level `memory`, which is true.
 */
import { CodedError, encodeStored, type Position } from '@arqonbus/protocol'
import { type Clock, isoTime, positionUpToN } from '../kit/clock.ts'
import { createOldestFirst, type OldestFirst } from '../kit/oldest-first.ts'
import { textBytes } from '../kit/text.ts'
import type { Account } from '../limits/accounts.ts'
import { Usage, type User } from '../limits/usage.ts'
import type { ExpiryReason } from '../observability/metric-labels.ts'
import { type ClosedLog, type ClosedLogs, createClosedLogs } from './closed.ts'
import {
  type AppendOutcome,
  type Bounds,
  type Draft,
  type Entry,
  type Located,
  type Log,
  type LogDriver,
  type LogListener,
  type LogOptions,
  type Page,
  type ReadQuery,
  UNKNOWN,
} from './contract.ts'
import { createDedup, type Fingerprint } from './dedup.ts'
import { ContentDigests, Digest, newSeed } from './digest.ts'
import { locate } from './recovery-point.ts'
import { redactIn } from './redact.ts'
import { closedRefusal, conflictRefusal, refusal } from './refusals.ts'
import { Ring } from './ring.ts'
import { newSecret } from './secret.ts'
import { SharedBytes, type SharingLog } from './shared-bytes.ts'

/** Settings of all logs of a process together. */
export type MemoryLogOptions = {
  readonly clock: Pick<Clock, 'now' | 'nowAt' | 'monotonic'>
  /**
   * Bytes of all messages of channels and rooms together, and of all inboxes together. Whose messages take most loses
   * the oldest ones.
   */
  readonly maxBytes: number
  readonly inboxBytes: number
  readonly dedupWindowMs: number
  readonly dedupBytes: number
  /** The number of closed logs whose heads are remembered. */
  readonly maxClosed: number
  /** Hears of each message that left: by length, age, bytes, or with its log. */
  readonly expired: (reason: ExpiryReason, count: number) => void
}

/** A driver whose logs live and die with the process. */
export function createMemoryLog<Subject, D extends Draft>(options: MemoryLogOptions): LogDriver<Subject, D> {
  const dedup = createDedup(options.dedupWindowMs, options.dedupBytes)
  const byEnd = createOldestFirst<MemoryLog<Subject, D>>({
    keyOf: (log) => log.firstEndsAt(),
    dropped(log) {
      log.isInByEnd = false
    },
  })
  const shared: Shared<Subject, D> = {
    ...options,
    dedup,
    history: new SharedBytes(options.maxBytes),
    inboxes: new SharedBytes(options.inboxBytes),
    byEnd,
    logs: 0,
    closed: createClosedLogs(options.maxClosed),
    listener: undefined,
    messages: 0,
    closedMs: 0,
  }
  return {
    name: 'memory',
    identity: crypto.randomUUID(),
    secret: newSecret(),
    isImmediate: true,
    isAway: false,
    isCongested: false,
    durability: () => 'memory',
    durabilityOfAccepted: () => 'memory',
    replicas: () => 0,
    listen: (listener) => {
      shared.listener = listener
    },
    open: (key, subject, logOptions) => new MemoryLog(shared, key, subject, logOptions),
    closed(key) {
      const log = shared.closed.get(key)
      if (log === undefined) return undefined
      return log.isDeleted ? { head: undefined, former: log.given } : { head: log.given, former: log.former }
    },
    sweep() {
      const now = options.clock.monotonic()
      for (let log = byEnd.peek(); log !== undefined && log.firstEndsAt()! <= now; log = byEnd.peek()) log.expire(now)
      byEnd.prune(shared.logs)
      shared.history.sweep()
      shared.inboxes.sweep()
      dedup.sweep(now)
    },
    usage: () => ({
      messages: shared.messages,
      bytes: shared.history.budget.used,
      inboxBytes: shared.inboxes.budget.used,
      dedupBytes: dedup.bytes(),
      queuedMessages: 0,
      queuedBytes: 0,
    }),
    close: () => {},
  }
}

type Shared<Subject, D extends Draft> = MemoryLogOptions & {
  readonly dedup: ReturnType<typeof createDedup>
  readonly history: SharedBytes
  readonly inboxes: SharedBytes
  /** Logs by when the time of their oldest message is over. */
  readonly byEnd: OldestFirst<MemoryLog<Subject, D>>
  /** How many logs hold messages. */
  logs: number
  readonly closed: ClosedLogs
  listener: LogListener<Subject, D> | undefined
  messages: number
  /** The latest time in a position of all logs that were closed. */
  closedMs: number
}

/** The outcome of a draft that does not want its position: most messages, so it costs no object for each. */
const APPENDED: AppendOutcome = { kind: 'appended' }

const seed = newSeed()
const idDigest = new Digest(seed)
const contentDigests = new ContentDigests(seed)
/**
 * The fingerprint of the draft that is being appended. One object serves all logs: an append looks for it and adds it
 * in one synchronous call, so that no message costs an object.
 */
const scratchFingerprint: Fingerprint = { idLow: 0, idHigh: 0, contentLow: 0, contentHigh: 0, account: undefined }

/**
 * One log. A class, because there may be a hundred thousand: methods are shared, and each has its fields and nothing
 * else.
 */
class MemoryLog<Subject, D extends Draft> implements Log<D>, SharingLog {
  /** Whether the heap knows of it. */
  isInByEnd = false
  readonly #shared: Shared<Subject, D>
  readonly #key: string
  /** The digest that the ids of this log begin with: ids of different logs are different. */
  readonly #idLow: number
  readonly #idHigh: number
  readonly #subject: Subject
  readonly #options: LogOptions
  readonly origin: Position
  readonly attachedAt: Position
  /** The head of the log of its key that was deleted before this one. */
  readonly #former: Position | undefined
  #ring: Ring | undefined
  #ms: number
  #n: number
  /** The time of the last message that is not kept any more. */
  #goneMs: number
  isClosed = false

  constructor(shared: Shared<Subject, D>, key: string, subject: Subject, options: LogOptions) {
    this.#shared = shared
    this.#subject = subject
    this.#options = options
    const closed = shared.closed.take(key)
    // A channel that is deleted and made again has another log. It begins later than the old one ended, however fast
    // that went and wherever the clock was set, so that no position of the old one fits it, and no id that the old one
    // took is taken for its own.
    this.origin =
      closed?.isDeleted === false ? closed.origin : { ms: Math.max(shared.clock.now(), shared.closedMs + 1), n: 0 }
    this.attachedAt = closed?.isDeleted === false ? closed.given : this.origin
    this.#former = closed?.isDeleted === false ? closed.former : closed?.given
    this.#ms = this.attachedAt.ms
    this.#n = this.attachedAt.n
    this.#goneMs = this.attachedAt.ms
    this.#key = key
    const { low, high } = idDigest.start().add(`${key}@${this.origin.ms}`)
    this.#idLow = low
    this.#idHigh = high
  }

  ready(): void {}

  get lastDelivered(): Position {
    return { ms: this.#ms, n: this.#n }
  }

  append(draft: D): void {
    const shared = this.#shared
    const listener = shared.listener!
    if (this.isClosed) return listener.settled(this.#subject, draft, closedRefusal())
    const at = draft.arrivedAt ?? shared.clock.monotonic()
    if (draft.deduplicated) {
      const fingerprint = this.#fingerprint(draft)
      const found = shared.dedup.find(fingerprint, at)
      if (found?.kind === 'same') return listener.settled(this.#subject, draft, { kind: 'duplicate', position: found })
      if (found?.kind === 'conflict') return listener.settled(this.#subject, draft, conflictRefusal(draft))
      if (!shared.dedup.hasRoom(fingerprint, at))
        return listener.settled(this.#subject, draft, refusal(dedupFull(shared.dedupWindowMs)))
    }
    const now = shared.clock.nowAt(at)
    // A wall clock that is set back does not take positions with it; what was said while it was ahead stays ahead until
    // it has caught up.
    if (now > this.#ms) this.#ms = now
    const ms = this.#ms
    const n = ++this.#n
    if (draft.deduplicated) shared.dedup.add(scratchFingerprint, ms, n, at)
    const entry = { ms, n, text: encodeStored(draft.envelope, isoTime(ms), positionUpToN(ms), n) }
    this.#keep(entry, draft.account, at)
    listener.delivered(this.#subject, entry, draft)
    listener.settled(this.#subject, draft, draft.wantsPosition ? { kind: 'appended', position: entry } : APPENDED)
  }

  bounds(): Bounds {
    this.expire(this.#shared.clock.monotonic())
    return this.#bounds()
  }

  read(query: ReadQuery): Page {
    this.expire(this.#shared.clock.monotonic())
    const [after, before] = [this.#numberOf(query.after), this.#numberOf(query.before)]
    const page = this.isEmpty() ? NOTHING : this.#ring!.page({ ...query, after, before })
    return { ...this.#bounds(), ...page }
  }

  readAtHand(query: ReadQuery): Page {
    return this.read(query)
  }

  recent(n: number, limit: number, maxBytes: number): readonly Entry[] | undefined {
    if (n >= this.#n) return []
    if (n + 1 < this.#firstN()) return undefined
    return this.#ring!.collect(n + 1, Math.min(this.#n, n + limit) + 1, maxBytes)
  }

  locate(since: Position, sinceId: string | undefined): Located {
    this.expire(this.#shared.clock.monotonic())
    return locate(since === UNKNOWN ? this.origin : since, sinceId, {
      ...this.#bounds(),
      originMs: this.origin.ms,
      former: this.#former,
      at: (n) => (n === this.#firstN() - 1 ? { ms: this.#goneMs } : this.#ring?.at(n)),
      isEmpty: this.isEmpty(),
    })
  }

  redact(position: Position): boolean {
    this.expire(this.#shared.clock.monotonic())
    const redacted = redactIn(this.isEmpty() ? undefined : this.#ring, position)
    if (redacted === undefined) return false
    const { isNew, tombstone } = redacted
    if (isNew) this.#shared.listener!.redacted(this.#subject, this, tombstone, tombstone)
    return true
  }

  isEmpty(): boolean {
    return this.#ring === undefined || this.#ring.length === 0
  }

  emptyInMs(): number {
    if (this.isEmpty()) return 0
    const ring = this.#ring!
    const endsAt = ring.pushedAt(ring.endN - 1) + this.#options.ttlMs
    return Math.max(0, endsAt - this.#shared.clock.monotonic())
  }

  close(): void {
    this.#close({ isDeleted: false, origin: this.origin, given: this.lastDelivered, former: this.#former })
  }

  delete(): void {
    // Nothing can be taken for what it held, where it never held anything.
    if (this.#n === 0) this.close()
    else this.#close({ isDeleted: true, given: this.lastDelivered })
  }

  #close(closed: ClosedLog): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#shared.closed.add(this.#key, closed)
    if (this.#n > 0) this.#shared.closedMs = Math.max(this.#shared.closedMs, this.#ms)
    this.#drop('deleted', this.#ring?.length ?? 0)
  }

  /** When its oldest message came, in running time; undefined while it holds none. */
  firstAt(): number | undefined {
    return this.isEmpty() ? undefined : this.#ring!.pushedAt(this.#ring!.firstN)
  }

  /** When the time of its oldest message is over. */
  firstEndsAt(): number | undefined {
    return this.isEmpty() ? undefined : this.firstAt()! + this.#options.ttlMs
  }

  /** Drops what is older than its time. */
  expire(now: number): void {
    const ring = this.#ring
    if (ring === undefined || this.firstEndsAt()! > now) return
    let count = 1
    while (count < ring.length && ring.pushedAt(ring.firstN + count) + this.#options.ttlMs <= now) count++
    this.#drop('age', count)
  }

  /**
   * The number of a position. A position from before the origin belongs to an earlier log: every message here comes
   * after it, so its number is 0.
   */
  #numberOf(position: Position | undefined): number | undefined {
    return position !== undefined && position.ms < this.origin.ms ? 0 : position?.n
  }

  #fingerprint(draft: D): Fingerprint {
    idDigest.resume(this.#idLow, this.#idHigh).add(draft.envelope.from).add(draft.envelope.id).finish()
    const content = contentDigests.of(draft.envelope)
    scratchFingerprint.idLow = idDigest.low
    scratchFingerprint.idHigh = idDigest.high
    scratchFingerprint.contentLow = content.low
    scratchFingerprint.contentHigh = content.high
    scratchFingerprint.account = draft.account
    return scratchFingerprint
  }

  #keep(entry: Entry, account: Account, at: number): void {
    const shared = this.#shared
    const { size, maxBytes } = this.#options
    if (size === 0) {
      this.#goneMs = entry.ms
      return shared.expired('length', 1)
    }
    if (this.#ring === undefined) {
      this.#ring = new Ring()
      shared.logs++
    }
    const ring = this.#ring
    const bytes = textBytes(entry.text)
    const usage = ring.usageOf(account) ?? ring.addUsage(new Usage<User>(this, this.#sharedBytes.budget.of(account)))
    // In a full log with one sender, what comes and what goes is one change of what that uses.
    const gone = ring.length === size ? this.#makeSpaceFor(usage, ring) : 0
    ring.push(entry, bytes, at, usage)
    shared.messages++
    if (bytes !== gone) usage.add(bytes - gone)
    if (!usage.isListed && ring.length === 1) this.#sharedBytes.isFront(usage)
    if (!this.isInByEnd) {
      this.isInByEnd = true
      shared.byEnd.add(this)
    }
    while (maxBytes !== undefined && ring.bytes > maxBytes) this.#drop('bytes', 1)
    this.#sharedBytes.keep()
  }

  /**
   * Drops the oldest message of a full log. Returns its bytes where they still count as used by the usage that the next
   * message is part of, else 0.
   */
  #makeSpaceFor(usage: Usage, ring: Ring): number {
    this.#goneMs = ring.firstMs
    const front = ring.usageAt(ring.firstN)!
    const bytes = ring.shift()
    this.#shared.messages--
    if (front !== usage) ring.removeBytes(front, bytes)
    if (ring.length > 0) this.#frontMoved(ring)
    this.#shared.expired('length', 1)
    return front === usage ? bytes : 0
  }

  #frontMoved(ring: Ring): void {
    const front = ring.usageAt(ring.firstN)!
    if (!front.isListed) this.#sharedBytes.isFront(front)
  }

  get #sharedBytes(): SharedBytes {
    return this.#options.isInbox === true ? this.#shared.inboxes : this.#shared.history
  }

  /** What the sender of the oldest message uses here. */
  get front(): Usage | undefined {
    return this.isEmpty() ? undefined : this.#ring!.usageAt(this.#ring!.firstN)
  }

  /** Drops the oldest message of which this usage is made, with those before it: a log has no holes. */
  dropOldestOf(usage: Usage): void {
    const ring = this.#ring!
    let count = 1
    while (ring.usageAt(ring.firstN + count - 1) !== usage) count++
    this.#drop('bytes', count)
  }

  #drop(reason: ExpiryReason, count: number): void {
    if (count === 0) return
    const shared = this.#shared
    const ring = this.#ring!
    for (let i = 0; i < count; i++) {
      this.#goneMs = ring.firstMs
      const usage = ring.usageAt(ring.firstN)!
      ring.removeBytes(usage, ring.shift())
    }
    shared.messages -= count
    if (ring.length > 0) this.#frontMoved(ring)
    else {
      shared.logs--
      // An idle channel keeps nothing of what it once held: a ring takes a quarter of a KiB even when it is empty.
      this.#ring = undefined
    }
    shared.expired(reason, count)
  }

  /** The number of the oldest message that is kept; while there is none, the number that the next message gets. */
  #firstN(): number {
    return this.isEmpty() ? this.#n + 1 : this.#ring!.firstN
  }

  #bounds(): Bounds {
    const last = this.lastDelivered
    return { first: this.isEmpty() ? last : { ms: this.#ring!.firstMs, n: this.#ring!.firstN }, last }
  }
}

const NOTHING = { entries: [], hasMore: false }

const dedupFull = (windowMs: number): CodedError =>
  new CodedError(
    'rate_limited',
    { limit: 'dedup_bytes' },
    Math.ceil(windowMs / 10),
    'Too many acknowledged messages are remembered: try again later, or without `ack`.',
  )
