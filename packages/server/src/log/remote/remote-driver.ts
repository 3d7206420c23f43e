/**
 * The driver of logs in an external store: what it acknowledges outlives this process, and other nodes on the same
 * store serve the same channels.
 *
 * `append-batches.ts` sends messages; `remote-log.ts` delivers what a log has, in order. `reconcile.ts` asks the store
 * for the heads of logs, and `outage.ts` is for the time in which the store cannot be reached. A new session first
 * fences off the one before it: what that had sent and the store had not executed by then is never executed.
 */
import type { Position } from '@arqonbus/protocol'
import {
  type Closed,
  type Draft,
  type LogDriver,
  type LogListener,
  type LogOptions,
  type ReadQuery,
  UNKNOWN,
} from '../contract.ts'
import { awayError, closedRefusal } from '../refusals.ts'
import { Batches, newsOf } from './append-batches.ts'
import { AtHand } from './at-hand.ts'
import { Deletions } from './deletions.ts'
import { operationOf } from './operation.ts'
import { Outage } from './outage.ts'
import { Reconciler } from './reconcile.ts'
import { FIRST, type LogHost, RemoteLog } from './remote-log.ts'
import type { RemoteLogOptions } from './remote-options.ts'
import {
  type Inspection,
  type NewsItem,
  type Origin,
  type StoredLog,
  StoreFault,
  type StorePage,
  type StoreSession,
  type StoreUser,
} from './remote-store.ts'
import { Reports } from './reports.ts'

/** Creates a driver on a store. It registers as the user of the store, and does not connect it. */
export function createRemoteLog<Subject, D extends Draft>(options: RemoteLogOptions<Subject>): LogDriver<Subject, D> {
  const { store } = options
  const logs = new RemoteLogs<Subject, D>(options)
  store.use(logs)
  return {
    name: store.name,
    get identity() {
      return store.identity
    },
    get secret() {
      return store.secret
    },
    isImmediate: false,
    get isAway() {
      return store.session === undefined
    },
    get isCongested() {
      return logs.batches.bytes > options.queueBytes
    },
    durability: () => (store.session === undefined ? 'memory' : store.level),
    durabilityOfAccepted: () => store.level,
    replicas: () => (store.session === undefined ? 0 : Math.min(store.replicasWanted, store.replicasConnected)),
    listen: (listener) => {
      logs.listener = listener
    },
    open: (key, subject, logOptions) => logs.open(key, subject, logOptions),
    closed: (key) => logs.closedOf(key),
    sweep: () => logs.sweep(),
    usage: () => ({
      messages: logs.atHand.messages,
      bytes: logs.atHand.bytes,
      inboxBytes: 0,
      dedupBytes: 0,
      queuedMessages: logs.outage.queue.size + logs.batches.size,
      queuedBytes: logs.outage.queue.bytes + logs.batches.bytes,
    }),
    close: () => store.close(),
  }
}

/** The logs of a driver, with the parts that they share. */
class RemoteLogs<Subject, D extends Draft> implements LogHost<Subject, D>, StoreUser {
  listener!: LogListener<Subject, D>
  readonly atHand: AtHand
  readonly batches: Batches<Subject, D>
  readonly outage: Outage<Subject, D>
  readonly reconciler: Reconciler<Subject, D>
  readonly reports: Reports
  readonly #options: RemoteLogOptions<Subject>
  readonly #logs = new Map<string, RemoteLog<Subject, D>>()
  #generation = 0

  constructor(options: RemoteLogOptions<Subject>) {
    const { store, logger, metrics, isListenedTo } = options
    const reports = new Reports(logger, store)
    const deletions = new Deletions()
    this.#options = options
    this.reports = reports
    this.atHand = new AtHand(options.tailBytes)
    this.outage = new Outage(options, this)
    this.batches = new Batches({ store, metrics, deletions, reports, listening: this })
    this.reconciler = new Reconciler({
      store,
      logs: this.#logs,
      deletions,
      reports,
      isInUse: (log) => log.isInUse || isListenedTo?.(log.subject) === true,
    })
  }

  // ---- What the driver is asked.

  open(name: string, subject: Subject, options: LogOptions): RemoteLog<Subject, D> {
    const log = new RemoteLog<Subject, D>(this, name, subject, options)
    this.#logs.set(name, log)
    this.#options.store.opened(name)
    this.reconciler.opened(log)
    return log
  }

  /** What is known of a log that is not open. */
  async closedOf(name: string): Promise<Closed | undefined> {
    const log = { name, options: { size: 0, ttlMs: 0 }, origin: UNKNOWN, lastDelivered: UNKNOWN }
    const found = await this.#ask((session) => inspectOne(session, log, FIRST, false))
    return found === undefined || 'damage' in found ? undefined : { head: found.head, former: found.former }
  }

  sweep(): void {
    const { session } = this.#options.store
    if (session !== undefined && this.reconciler.tick(session)) session.keep()
  }

  // ---- What a log needs.

  /** A clock that was stepped ahead makes nothing forgotten. */
  now(): number {
    return Math.min(this.#options.clock.now(), this.#options.store.now())
  }

  isAway(): boolean {
    return this.#options.store.session === undefined
  }

  append(log: RemoteLog<Subject, D>, draft: D): void {
    if (log.isClosed) return this.listener.settled(log.subject, draft, closedRefusal())
    if (this.isAway()) return this.outage.append(log, draft)
    if (!log.isCurrent) this.reconciler.need(log)
    this.batches.add(operationOf(log, draft))
  }

  async inspect(log: RemoteLog<Subject, D>, at: Position | undefined): Promise<Inspection | undefined> {
    const found = await this.#ask((session) => inspectOne(session, log, at, !log.isClosed))
    if (found !== undefined && 'damage' in found) throw this.reports.damaged(log, found.damage)
    return found
  }

  async read(log: RemoteLog<Subject, D>, query: ReadQuery): Promise<StorePage> {
    const page = await this.#ask((session) => session.read(log, query))
    if ('damage' in page) throw this.reports.damaged(log, page.damage)
    return page
  }

  async redact(log: RemoteLog<Subject, D>, position: Position): Promise<boolean> {
    const redacted = await this.#ask((session) => session.redact(log, position))
    if (typeof redacted === 'object') throw this.reports.damaged(log, redacted.damage)
    return redacted
  }

  flushed(): Promise<void> {
    return this.#ask((session) => session.announcements.flushed())
  }

  closed(log: RemoteLog<Subject, D>, isDeleted: boolean): void {
    const { store } = this.#options
    if (this.#logs.get(log.name) === log) this.#logs.delete(log.name)
    store.closed(log.name)
    this.reconciler.closed(log)
    if (!isDeleted) return store.session?.release(log)
    const deletion = operationOf<Subject, D>(log, undefined)
    if (this.isAway()) this.outage.queue.add(deletion)
    else this.batches.add(deletion)
  }

  /** Asks the store; fails with `storage_unavailable` where it is away, or does not answer. */
  async #ask<Answer>(question: (session: StoreSession) => Promise<Answer>): Promise<Answer> {
    const { session } = this.#options.store
    if (session === undefined) throw awayError()
    try {
      return await question(session)
    } catch (problem) {
      this.reports.failed(problem)
      if (!(problem instanceof StoreFault) || problem.endsSession) session.end(problem)
      throw awayError()
    }
  }

  // ---- What the store calls.

  async prepare(session: StoreSession): Promise<void> {
    const generation = ++this.#generation
    const last = await session.fence(generation)
    this.batches.begin(generation, last)
    this.outage.queue.forgetDone(last)
    this.reconciler.begin()
  }

  ready(): void {
    const items = this.outage.queue.takeAll()
    this.batches.addFirst(items)
    for (const { log } of items) this.reconciler.need(log)
    this.reconciler.compareAll()
    this.batches.flushSoon()
  }

  away(): void {
    const { underWay, waiting } = this.batches.takeAll()
    for (const { items } of underWay) for (const { log } of items) log.wasInterrupted()
    this.outage.begin(underWay, waiting)
    for (const log of this.#logs.values()) log.away()
  }

  /** False for news of an own call that has its reply already. */
  isNews(origin: Origin): boolean {
    return origin.node !== this.#options.store.node || this.batches.callOf(origin) !== undefined
  }

  redacted(node: string, name: string, position: Position): void {
    try {
      this.#logs.get(name)?.redacted(position, node !== this.#options.store.node)
    } catch (problem) {
      this.reports.listenerFailed(problem)
    }
  }

  heard(origin: Origin, news: readonly NewsItem[]): void {
    const call = origin.node === this.#options.store.node ? this.batches.callOf(origin) : undefined
    // Where replicas are waited for, the reply to the call says how many have it. Only the sender waits for that: by
    // then it may be trimmed.
    const isSettled = this.#options.store.replicasWanted === 0
    const level = origin.isOnDisk ? call?.level : 'stored'
    for (const { name, position, index, parts } of news) {
      const log = this.#logs.get(name)
      if (log === undefined) continue
      const own = call?.items[index]
      try {
        // One that was closed and opened again is another log for the drafts that were appended to the first.
        if (own?.log !== log) log.hear({ position, parts, isOwn: false, draft: undefined, outcome: undefined })
        else {
          own.hasReply = isSettled
          own.announcedAt = position
          log.hear(newsOf(own, { position, level, replicas: undefined }, isSettled))
        }
      } catch (problem) {
        this.reports.listenerFailed(problem)
      }
    }
  }
}

async function inspectOne(session: StoreSession, log: StoredLog, at: Position | undefined, begin: boolean) {
  const [found] = await session.inspect([{ log, at, how: 'all' }], begin)
  if (found === 'unchanged') throw new Error('unchanged, where all was asked')
  return found
}
