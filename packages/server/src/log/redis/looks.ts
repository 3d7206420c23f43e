/**
 * Where logs stand, asked of Redis: of one that was opened, and of all when Redis is back, 2 s later, and every 30 s. A connection that was closed does not stop
 * what it had sent, and what is announced may get lost: the stream is the truth.
 *
 * The announcements of a log are subscribed to before it is looked at: what happened between would be heard by nobody.
 */
import { nameOfFault, outcomeOf } from '../../redis/faults.ts'
import { newsChannelOf } from '../../redis/keys.ts'
import type { Connections } from '../../redis/link.ts'
import type { Draft } from '../contract.ts'
import type { RedisLog } from './log.ts'
import type { RedisLogOptions } from './options.ts'
import { seenIn } from './replies.ts'
import { callScript, loadScripts, scripts } from './scripts.ts'
import type { Words } from './words.ts'

/** The looks of a driver at its logs. */
export type Looks<Subject, D extends Draft> = {
  /** It was opened: it is looked at soon. */
  opened(log: RedisLog<Subject, D>): void
  closed(log: RedisLog<Subject, D>): void
  /** Looks at those that were opened. */
  lookAtNew(connections: Connections): void
  /** Subscribes to the announcements of all logs that are open. */
  subscribeAll(connections: Connections): Promise<void>
  /** Looks at all logs again; at the given ones first. */
  compare(connections: Connections, first: ReadonlySet<RedisLog<Subject, D>>): void
  /**
   * Looks at all logs where the time for it has come, else at those where something was told since it was last asked: an announcement that got lost is noticed
   * by the next one, and the last one of a burst by this. True where the time had come.
   */
  compareInTime(connections: Connections): boolean
}

/** What looking needs. */
type LooksDeps<Subject, D extends Draft> = {
  readonly options: RedisLogOptions
  readonly words: Words
  /** All logs that are open. */
  readonly logs: ReadonlyMap<string, RedisLog<Subject, D>>
  /** True while what an earlier log of that name holds is yet to be deleted. */
  isBeingDeleted(name: string): boolean
  /** There is something new to be looked at. */
  flushSoon(): void
  unexpected(problem: unknown): void
}

const LOOKS_AT_ONCE = 100
const COMPARE_FIRST_MS = 2000
const COMPARE_MS = 30_000

/** Nothing is looked at yet. */
export function createLooks<Subject, D extends Draft>(deps: LooksDeps<Subject, D>): Looks<Subject, D> {
  type AnyLog = RedisLog<Subject, D>
  const { options, words, logs } = deps
  const { link } = options
  /** Those that were opened since the last look at new ones. */
  let unseen = new Set<AnyLog>()
  /** How many logs there are for each news channel. */
  const channels = new Map<string, number>()
  let compareAt = 0
  let isComparing = false

  const look = async (connections: Connections, asked: readonly AnyLog[]): Promise<void> => {
    const positions = asked.map(({ given }) => given)
    const keys = asked.flatMap((log) => words.keysOf(log).slice(0, 2))
    const args = asked.flatMap((log, i) => words.lookOf(log, positions[i]))
    const head = ['begin', words.now(), words.time()]
    const answer = await callScript<string[]>(connections.commands, scripts.look, keys, [...head, ...args])
    // Answers that came ahead of this one are told ahead of it: they take more steps to get there.
    await new Promise((resolve) => setImmediate(resolve))
    if (link.connections !== connections) return
    asked.forEach((log, i) => {
      // What was told while the answer was on its way cannot be compared with it.
      if (!log.isClosed && (log.given === positions[i] || !log.isCurrent)) log.seen(seenIn(answer, i)!)
    })
  }

  const lookAll = async (connections: Connections, all: readonly AnyLog[]): Promise<void> => {
    for (let i = 0; i < all.length; i += LOOKS_AT_ONCE) {
      const some = all.slice(i, i + LOOKS_AT_ONCE).filter((log) => !log.isClosed)
      if (some.length > 0) await look(connections, some)
    }
  }

  /** Whoever has a log of that name that is yet to be deleted waits for that: it would take the old one for its own. */
  const readyOnes = (all: Iterable<AnyLog>): AnyLog[] => {
    const ready: AnyLog[] = []
    for (const log of all) {
      if (deps.isBeingDeleted(log.name)) unseen.add(log)
      else ready.push(log)
    }
    return ready
  }

  const failed = (connections: Connections, asked: readonly AnyLog[], problem: unknown) => {
    if (outcomeOf(problem) !== 'reload') {
      deps.unexpected(problem)
      return link.drop(connections, nameOfFault(problem))
    }
    loadScripts(connections.commands).then(
      () => {
        for (const log of asked) if (!log.isClosed && !log.isCurrent) unseen.add(log)
        deps.flushSoon()
      },
      (again) => link.drop(connections, nameOfFault(again)),
    )
  }

  const subscribe = async ({ news }: Connections, asked: Iterable<AnyLog>): Promise<void> => {
    const wanted = new Set<string>()
    for (const { name } of asked) wanted.add(newsChannelOf(name))
    if (wanted.size > 0) await news.ssubscribe(...wanted)
  }

  const compare = (connections: Connections, first: Iterable<AnyLog>) =>
    compareSome(connections, new Set([...first, ...logs.values()]))

  const compareSome = (connections: Connections, some: Iterable<AnyLog>) => {
    if (isComparing) return
    isComparing = true
    const asked = readyOnes(some)
    lookAll(connections, asked)
      .catch((problem) => failed(connections, asked, problem))
      .finally(() => {
        isComparing = false
      })
  }

  return {
    opened(log) {
      const channel = newsChannelOf(log.name)
      channels.set(channel, (channels.get(channel) ?? 0) + 1)
      unseen.add(log)
      deps.flushSoon()
    },
    closed(log) {
      unseen.delete(log)
      const channel = newsChannelOf(log.name)
      const count = (channels.get(channel) ?? 0) - 1
      if (count > 0) return void channels.set(channel, count)
      channels.delete(channel)
      const { connections } = link
      connections?.news.sunsubscribe(channel).catch((problem) => link.drop(connections, nameOfFault(problem)))
    },
    lookAtNew(connections) {
      if (unseen.size === 0) return
      const opened = unseen
      unseen = new Set()
      const asked = readyOnes(opened)
      if (asked.length === 0) return
      subscribe(connections, asked)
        .then(() => lookAll(connections, asked))
        .catch((problem) => failed(connections, asked, problem))
    },
    subscribeAll: (connections) => subscribe(connections, logs.values()),
    compare(connections, first) {
      compareAt = performance.now() + COMPARE_FIRST_MS
      // One of an earlier connection ends with it.
      isComparing = false
      compare(connections, first)
    },
    compareInTime(connections) {
      if (performance.now() < compareAt) {
        const active = [...logs.values()].filter((log) => log.takeActive())
        if (active.length > 0) compareSome(connections, active)
        return false
      }
      compareAt = performance.now() + COMPARE_MS
      compare(connections, [])
      return true
    },
  }
}
