/**
 * Asks Redis for the heads of logs. A log is compared with Redis before its first announcement, and again after each connect, because Redis may have lost
 * messages that were announced. Logs with waiting callers come first, then logs in use, then the rest in the background: with a hundred thousand channels a
 * full comparison takes seconds.
 *
 * Later, a few logs a second are compared again: announcements can get lost, and the stream is authoritative.
 *
 * The announcements of a log are subscribed to before it is looked at: what happened between would be heard by nobody.
 */
import { nameOfFault, outcomeOf } from '../../redis/faults.ts'
import { newsChannelOf } from '../../redis/keys.ts'
import type { Connections } from '../../redis/link.ts'
import type { Draft } from '../contract.ts'
import type { RedisLogOptions } from './driver-options.ts'
import type { RedisLog } from './redis-log.ts'
import { createRound } from './round.ts'
import type { Words } from './script-args.ts'
import { type Damage, type Look, looksIn } from './script-replies.ts'
import { callScript, loadScripts, scripts } from './scripts.ts'

/** The looks of a driver at its logs. */
export type Reconciler<Subject, D extends Draft> = {
  /** A log was opened: it is compared in the background, or earlier by `need`. */
  opened(log: RedisLog<Subject, D>): void
  closed(log: RedisLog<Subject, D>): void
  /** A caller waits for this log: it is compared ahead of logs without waiting callers. */
  need(log: RedisLog<Subject, D>): void
  /** A message of it was announced. */
  active(log: RedisLog<Subject, D>): void
  /** Goes on with what is to be looked at. */
  lookAtNext(connections: Connections): void
  /** There are new connections: subscribes to the announcements of all logs that are open. */
  begin(connections: Connections): Promise<void>
  /** Looks at all logs again, one slice after the other. */
  compareAll(): void
  /**
   * Compares some more logs. Called every second. Logs with announcements since the last call come first: a lost announcement shows by the next one, and the
   * last one of a burst by this. True where a round through all logs begins.
   */
  tick(connections: Connections): boolean
}

/** What looking needs. */
type ReconcilerDeps<Subject, D extends Draft> = {
  readonly options: Pick<RedisLogOptions, 'link'>
  readonly words: Words
  /** All logs that are open. */
  readonly logs: ReadonlyMap<string, RedisLog<Subject, D>>
  /** True for logs that are looked at ahead of the rest. */
  isInUse(log: RedisLog<Subject, D>): boolean
  /** True while what an earlier log of that name holds is yet to be deleted. */
  isBeingDeleted(name: string): boolean
  /** There is something new to be looked at. */
  flushSoon(): void
  /** A log cannot be looked at. */
  damaged(log: RedisLog<Subject, D>, damage: Damage): void
  unexpected(problem: unknown): void
}

/** So many logs are asked for in one call: it stops Redis, and this node when the answer comes, for a millisecond. */
const LOOKS_AT_ONCE = 100
const COMPARE_FIRST_MS = 2000
const COMPARE_MS = 30_000
/** Keys of a log that is open are written to once in so long, so that Redis does not remove them. */
const TOUCH_MS = 3_600_000

/** Nothing is looked at yet. */
export function createReconciler<Subject, D extends Draft>(deps: ReconcilerDeps<Subject, D>): Reconciler<Subject, D> {
  type AnyLog = RedisLog<Subject, D>
  const { options, words, logs } = deps
  const { link } = options
  /** Logs with waiting callers. */
  const needed = new Set<AnyLog>()
  /** Logs that were opened and not compared yet. */
  const fresh = new Set<AnyLog>()
  /** Logs with announcements since they were last compared. */
  const told = new Set<AnyLog>()
  /** How many logs there are for each news channel. */
  const channels = new Map<string, number>()
  /** The channels that the present connection is subscribed to, or will be when `subscribing` is over. */
  let subscribed = new Set<string>()
  let subscribing: Promise<unknown> = Promise.resolve()
  const unseen = createRound(logs, { isDue: (log) => !log.isCurrent, isFirst: deps.isInUse })
  const again = createRound(logs, { isDue: (log) => log.isCurrent })
  let againAt = 0
  /** Calls under way: one for logs with waiting callers, and one for the rest. */
  let isLooking = { needed: false, rest: false }

  const look = async (connections: Connections, asked: readonly AnyLog[], how: 'all' | 'changed'): Promise<void> => {
    const positions = asked.map(({ lastDelivered }) => lastDelivered)
    const word = words.question()
    const keys = asked.flatMap((log) => words.keysOf(log).slice(0, 2))
    const args = asked.flatMap((log, i) => words.lookOf(log, positions[i], howToLook(log, how)))
    const head = [word, 'begin', words.now(), words.time()]
    const answer = await callScript(connections.commands, scripts.look, keys, [...head, ...args])
    const found = looksIn(answer, word, asked.length)
    // Answers that came ahead of this one are told ahead of it: they take more steps to get there.
    await turn()
    if (link.connections !== connections) return
    asked.forEach((log, i) => {
      // What was told while the answer was on its way cannot be compared with it.
      if (!log.isClosed && (log.lastDelivered === positions[i] || !log.isCurrent)) take(log, found[i])
    })
  }

  /** A look at all of it writes to the keys. */
  const howToLook = (log: AnyLog, how: 'all' | 'changed') => {
    const now = performance.now()
    if (how === 'changed' && now - log.touchedAt < TOUCH_MS) return how
    log.touchedAt = now
    return 'all'
  }

  const take = (log: AnyLog, found: Look) => {
    if (found === undefined || found === 'unchanged') return
    if ('damage' in found) deps.damaged(log, found.damage)
    else log.seen(found)
  }

  /** The next logs with waiting callers, without those whose predecessor of the same name is still to be deleted: they would take its messages for theirs. */
  const takeNeeded = (): AnyLog[] => {
    const next: AnyLog[] = []
    for (const log of needed) {
      if (next.length === LOOKS_AT_ONCE) break
      if (!log.isClosed && deps.isBeingDeleted(log.name)) continue
      needed.delete(log)
      if (!log.isClosed) next.push(log)
    }
    return next
  }

  const takeRest = (): AnyLog[] => {
    const next = takeFrom(fresh, LOOKS_AT_ONCE)
    if (next.length === 0) next.push(...unseen.take(LOOKS_AT_ONCE))
    for (const log of next) if (deps.isBeingDeleted(log.name)) needed.add(log)
    return next.filter((log) => !needed.has(log) && !log.isCurrent)
  }
  const isRestOver = () => fresh.size === 0 && unseen.isOver

  const lookAtNext = (connections: Connections) => {
    if (needed.size > 0) void goOn(connections, 'needed', takeNeeded)
    if (!isRestOver()) void goOn(connections, 'rest', takeRest)
  }

  /** Looks at slice after slice, each in a turn of its own, until nothing is left. */
  const goOn = async (connections: Connections, kind: 'needed' | 'rest', takeNext: () => AnyLog[]): Promise<void> => {
    const state = isLooking
    if (state[kind]) return
    state[kind] = true
    let asked: AnyLog[] = []
    try {
      for (;;) {
        if (link.connections !== connections) return
        asked = takeNext()
        if (asked.length > 0) {
          await subscribe(connections, asked)
          await look(connections, asked, 'all')
        } else if (kind === 'needed' || isRestOver()) return
        else await turn()
      }
    } catch (problem) {
      failed(connections, asked, problem)
    } finally {
      state[kind] = false
    }
  }

  const compareAgain = (connections: Connections, some: readonly AnyLog[]) => {
    look(connections, some, 'changed').catch((problem) => failed(connections, some, problem))
  }

  const failed = (connections: Connections, asked: readonly AnyLog[], problem: unknown) => {
    if (outcomeOf(problem) !== 'reload') {
      deps.unexpected(problem)
      return link.drop(connections, nameOfFault(problem))
    }
    loadScripts(connections.commands).then(
      () => {
        for (const log of asked) if (!log.isClosed && !log.isCurrent) needed.add(log)
        deps.flushSoon()
      },
      (again) => link.drop(connections, nameOfFault(again)),
    )
  }

  /** Ends when the announcements of these logs are heard. */
  const subscribe = ({ news }: Connections, asked: readonly AnyLog[]): Promise<unknown> => {
    const wanted = new Set<string>()
    for (const { name } of asked) {
      const channel = newsChannelOf(name)
      if (!subscribed.has(channel)) wanted.add(channel)
    }
    for (const channel of wanted) subscribed.add(channel)
    if (wanted.size > 0) subscribing = Promise.all([subscribing, news.ssubscribe(...wanted)])
    return subscribing
  }

  return {
    opened(log) {
      const channel = newsChannelOf(log.name)
      channels.set(channel, (channels.get(channel) ?? 0) + 1)
      fresh.add(log)
      deps.flushSoon()
    },
    closed(log) {
      for (const set of [needed, fresh, told]) set.delete(log)
      const channel = newsChannelOf(log.name)
      const count = (channels.get(channel) ?? 0) - 1
      if (count > 0) return void channels.set(channel, count)
      channels.delete(channel)
      const { connections } = link
      if (connections === undefined || !subscribed.delete(channel)) return
      connections.news.sunsubscribe(channel).catch((problem) => link.drop(connections, nameOfFault(problem)))
    },
    need(log) {
      if (log.isClosed) return
      needed.add(log)
      deps.flushSoon()
    },
    active: (log) => void told.add(log),
    lookAtNext,
    async begin({ news }) {
      // What an earlier connection was asked is not answered any more.
      isLooking = { needed: false, rest: false }
      subscribed = new Set(channels.keys())
      subscribing = Promise.resolve()
      if (subscribed.size > 0) await news.ssubscribe(...subscribed)
    },
    compareAll() {
      fresh.clear()
      unseen.begin()
      againAt = performance.now() + COMPARE_FIRST_MS
    },
    tick(connections) {
      const active = takeFrom(told, LOOKS_AT_ONCE)
      for (const log of active) log.takeActive()
      const isDue = again.isOver && performance.now() >= againAt
      if (isDue) {
        again.begin()
        againAt = performance.now() + COMPARE_MS
      }
      const some = new Set([...active, ...again.take(LOOKS_AT_ONCE)])
      const asked = [...some].filter((log) => !log.isClosed && log.isCurrent && !deps.isBeingDeleted(log.name))
      if (asked.length > 0) compareAgain(connections, asked)
      return isDue
    },
  }
}

/** Takes out the first ones, so many at most. */
function takeFrom<T>(set: Set<T>, most: number): T[] {
  const taken: T[] = []
  for (const one of set) {
    if (taken.length === most) break
    set.delete(one)
    taken.push(one)
  }
  return taken
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
