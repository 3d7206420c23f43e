/**
 * Asks the store for the heads of logs. A log is compared with the store before its first delivery, and again in each
 * new session, because the store may have lost messages that were delivered. Logs with waiting callers come first, then
 * logs in use, then the rest in the background: with a hundred thousand channels a full comparison takes seconds.
 *
 * Later, a few logs a second are compared again: announcements can get lost, and the log in the store is authoritative.
 */
import { onceATurn } from '../../kit/once-a-turn.ts'
import type { Draft } from '../contract.ts'
import type { Deletions } from './deletions.ts'
import type { RemoteLog } from './remote-log.ts'
import type { Inspected, RemoteStore, StoreSession } from './remote-store.ts'
import type { Reports } from './reports.ts'
import { Round } from './round.ts'

/** What comparing needs. */
type ReconcilerDeps<Subject, D extends Draft> = {
  readonly store: RemoteStore
  /** All logs that are open. */
  readonly logs: ReadonlyMap<string, RemoteLog<Subject, D>>
  /**
   * A log whose predecessor of the same name is still to be deleted is not inspected: it would take the messages of
   * that for its own.
   */
  readonly deletions: Deletions
  /** True for logs that are inspected ahead of the rest. */
  isInUse(log: RemoteLog<Subject, D>): boolean
  readonly reports: Reports
}

/**
 * So many logs are asked for in one call: it stops the store, and this node when the reply comes, for a millisecond.
 */
const LOOKS_AT_ONCE = 100
const COMPARE_FIRST_MS = 2000
const COMPARE_MS = 30_000
/** A log that is open is inspected as a whole once in so long, which keeps it from expiring in the store. */
const TOUCH_MS = 3_600_000

/** The comparisons of a driver. */
export class Reconciler<Subject, D extends Draft> {
  readonly #deps: ReconcilerDeps<Subject, D>
  /** Logs with waiting callers. */
  readonly #needed = new Set<RemoteLog<Subject, D>>()
  /** Logs that were opened and not compared yet. */
  readonly #fresh = new Set<RemoteLog<Subject, D>>()
  /** Logs with deliveries since they were last compared. */
  readonly #active = new Set<RemoteLog<Subject, D>>()
  readonly #unseen: Round<RemoteLog<Subject, D>>
  readonly #again: Round<RemoteLog<Subject, D>>
  #againAt = 0
  /** Calls under way: one for logs with waiting callers, and one for the rest. Another object for each session. */
  #isLooking = { needed: false, rest: false }
  readonly #goOnSoon = onceATurn(() => {
    const { session } = this.#deps.store
    if (session === undefined) return
    if (this.#needed.size > 0) void this.#goOn(session, 'needed')
    if (!this.#isRestOver()) void this.#goOn(session, 'rest')
  })

  constructor(deps: ReconcilerDeps<Subject, D>) {
    this.#deps = deps
    this.#unseen = new Round(deps.logs, { isDue: (log) => !log.isCurrent, isFirst: deps.isInUse })
    this.#again = new Round(deps.logs, { isDue: (log) => log.isCurrent })
    deps.deletions.listen(this.#goOnSoon)
  }

  /** A log was opened: it is compared in the background, or earlier by `need`. */
  opened(log: RemoteLog<Subject, D>): void {
    this.#fresh.add(log)
    this.#goOnSoon()
  }

  closed(log: RemoteLog<Subject, D>): void {
    for (const set of [this.#needed, this.#fresh, this.#active]) set.delete(log)
  }

  /** A caller waits for this log: it is compared ahead of logs without waiting callers. */
  need(log: RemoteLog<Subject, D>): void {
    if (log.isClosed) return
    this.#needed.add(log)
    this.#goOnSoon()
  }

  /** A message of it was delivered. */
  active(log: RemoteLog<Subject, D>): void {
    this.#active.add(log)
  }

  /** A session begins: what an earlier one was asked is not answered any more. */
  begin(): void {
    this.#isLooking = { needed: false, rest: false }
  }

  /** Compares all logs again, one slice after the other. */
  compareAll(): void {
    this.#fresh.clear()
    this.#unseen.begin()
    this.#againAt = performance.now() + COMPARE_FIRST_MS
    this.#goOnSoon()
  }

  /**
   * Compares some more logs. Called every second. Logs with deliveries since the last call come first: a lost
   * announcement shows by the next one, and the last one of a burst by this. True where a round through all logs
   * begins.
   */
  tick(session: StoreSession): boolean {
    const active = takeFrom(this.#active)
    for (const log of active) log.isActive = false
    const isDue = this.#again.isOver && performance.now() >= this.#againAt
    if (isDue) {
      this.#again.begin()
      this.#againAt = performance.now() + COMPARE_MS
    }
    const some = new Set([...active, ...this.#again.take(LOOKS_AT_ONCE)])
    const asked = [...some].filter((log) => !log.isClosed && log.isCurrent && !this.#deps.deletions.has(log.name))
    if (asked.length > 0) this.#look(session, asked, 'changed').catch((problem) => this.#failed(session, problem))
    return isDue
  }

  /** Compares slice after slice, each in a turn of its own, until nothing is left. */
  async #goOn(session: StoreSession, kind: 'needed' | 'rest'): Promise<void> {
    const state = this.#isLooking
    if (state[kind]) return
    state[kind] = true
    try {
      while (this.#deps.store.session === session) {
        const asked = kind === 'needed' ? this.#takeNeeded() : this.#takeRest()
        if (asked.length > 0) {
          await session.announcements.subscribed(asked.map(({ name }) => name))
          await this.#look(session, asked, 'all')
        } else if (kind === 'needed' || this.#isRestOver()) return
        else await turn()
      }
    } catch (problem) {
      this.#failed(session, problem)
    } finally {
      state[kind] = false
    }
  }

  async #look(session: StoreSession, asked: readonly RemoteLog<Subject, D>[], how: 'all' | 'changed'): Promise<void> {
    const questions = asked.map((log) => ({ log, at: log.lastDelivered, how: howToLook(log, how) }))
    const found = await session.inspect(questions, true)
    // Replies that came ahead of this one are heard ahead of it: they take more steps to get there.
    await turn()
    if (this.#deps.store.session !== session) return
    asked.forEach((log, i) => {
      // What was delivered while the reply was on its way cannot be compared with it.
      if (!log.isClosed && (log.lastDelivered === questions[i]!.at || !log.isCurrent)) this.#take(log, found[i])
    })
  }

  #take(log: RemoteLog<Subject, D>, found: Inspected): void {
    if (found === undefined || found === 'unchanged') return
    if ('damage' in found) log.fail(this.#deps.reports.damaged(log, found.damage))
    else log.inspected(found)
  }

  #takeNeeded(): RemoteLog<Subject, D>[] {
    return takeFrom(this.#needed, (log) => !this.#deps.deletions.has(log.name))
  }

  #takeRest(): RemoteLog<Subject, D>[] {
    const next = takeFrom(this.#fresh)
    if (next.length === 0) next.push(...this.#unseen.take(LOOKS_AT_ONCE))
    for (const log of next) if (this.#deps.deletions.has(log.name)) this.#needed.add(log)
    return next.filter((log) => !this.#needed.has(log) && !log.isCurrent)
  }

  #isRestOver(): boolean {
    return this.#fresh.size === 0 && this.#unseen.isOver
  }

  #failed(session: StoreSession, problem: unknown): void {
    this.#deps.reports.failed(problem)
    session.end(problem)
  }
}

/** To inspect all of a log writes to its keys in the store. */
function howToLook(log: { touchedAt: number }, how: 'all' | 'changed'): 'all' | 'changed' {
  const now = performance.now()
  if (how === 'changed' && now - log.touchedAt < TOUCH_MS) return how
  log.touchedAt = now
  return 'all'
}

/** Takes the first ones out, as many as are asked for in one call. */
function takeFrom<T>(set: Set<T>, isDue: (one: T) => boolean = () => true): T[] {
  const taken = [...set.values().filter(isDue).take(LOOKS_AT_ONCE)]
  for (const one of taken) set.delete(one)
  return taken
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
