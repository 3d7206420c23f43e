/**
 * What is on its way to Redis. Whatever waits at the end of a tick goes in one script call, and few calls are under way at once, so that a busy Redis is given
 * more with each.
 *
 * A call has a number, and Redis does it only where it has done the one before (`speaks` in `head.lua`): of what was refused nothing newer is done.
 */
import type { DurabilityLevel, Position } from '@arqonbus/protocol'
import { nameOfFault, outcomeOf, UnreadableReply } from '../../redis/faults.ts'
import type { RecordPlace } from '../../redis/keys.ts'
import { newsChannelOf } from '../../redis/keys.ts'
import type { Connections } from '../../redis/link.ts'
import type { Draft } from '../contract.ts'
import type { RedisLogOptions } from './driver-options.ts'
import type { Fingerprints } from './fingerprints.ts'
import type { Operation } from './operation.ts'
import type { RedisLog } from './redis-log.ts'
import { NOT_WAITED, type Replicated, waitBehind } from './replication.ts'
import type { Words } from './script-args.ts'
import { appendsIn, type Damage, deletedIn, type Origin, type Outcome } from './script-replies.ts'
import { callScript, loadScripts, scripts } from './scripts.ts'

/** A call that is under way. */
export type Call<Subject, D extends Draft> = {
  readonly number: number
  /** What Redis promised when it was sent. */
  readonly level: DurabilityLevel
  /** Its messages, log by log, in which order answer and announcements tell of them; or one deletion. */
  readonly items: readonly Operation<Subject, D>[]
  /** The same, for each log by itself. */
  readonly byLog: ReadonlyMap<RedisLog<Subject, D>, readonly Operation<Subject, D>[]>
  readonly bytes: number
  readonly sentAt: number
  /** True where Redis said that it did not do it. */
  isRefused: boolean
}

/** What is on its way. */
export type Calls<Subject, D extends Draft> = {
  /** Of what waits and of what is under way. */
  readonly bytes: number
  readonly size: number
  add(item: Operation<Subject, D>): void
  /** What has been held goes ahead of everything. */
  addFirst(items: readonly Operation<Subject, D>[]): void
  /** Goes on, at the end of this tick. */
  flushSoon(): void
  /** True while a deletion of a log of that name is on its way. */
  deletes(name: string): boolean
  /** The call that was announced: its items are in the order of the announcement; undefined where it is not under way. */
  callOf(origin: Origin): Call<Subject, D> | undefined
  /** From now on this generation speaks for the node; it goes on after that call. */
  begin(generation: number, lastCall: number): void
  /** Takes everything out: those under way in order, then what waits. */
  takeAll(): { readonly underWay: readonly Call<Subject, D>[]; readonly waiting: readonly Operation<Subject, D>[] }
}

/** What sending needs. */
type CallsDeps<Subject, D extends Draft> = {
  readonly options: RedisLogOptions
  readonly words: Words
  readonly prints: () => Fingerprints
  /** Called before anything is sent. */
  flushing(connections: Connections): void
  /** Redis has said what became of a message; where its log is damaged, by what. */
  settle(item: Operation<Subject, D>, outcome: Outcome, waited: Replicated, damage: Damage | undefined): void
  /** A deletion is done. */
  deleted(name: string): void
  /** A fault that no rule knows. */
  unexpected(problem: unknown): void
}

/** So many messages and bytes go in one call, for a script stops everybody else, and hands what it remembers to one command; and so many calls are under way at once. */
const MOST_IN_CALL = 128
const MOST_CALL_BYTES = 256 * 1024
const MOST_CALLS = 4
/** Where replicas are waited for, one: waits stand in line on their connection, and a replica that is missing would make the last of them late. */
const MOST_CALLS_WITH_REPLICAS = 1

/** No append-only file looks like this: during a rewrite nothing is `disk`. */
const UNSETTLED = '-'

/** Nothing is on its way yet. */
export function createCalls<Subject, D extends Draft>(deps: CallsDeps<Subject, D>): Calls<Subject, D> {
  const { options, words } = deps
  const { link, metrics } = options
  const mostCalls = options.replicas > 0 ? MOST_CALLS_WITH_REPLICAS : MOST_CALLS
  let waiting: Operation<Subject, D>[] = []
  let underWay: Call<Subject, D>[] = []
  let bytes = 0
  let lastNumber = 0
  let generation = 0
  let isFlushing = false
  let isReloading = false
  /** Deletions on their way, by name. */
  const deletions = new Map<string, number>()

  const put = (items: readonly Operation<Subject, D>[]) => {
    for (const item of items) {
      bytes += item.bytes
      if (item.draft === undefined) countDeletion(item.log.name, 1)
    }
  }
  const countDeletion = (name: string, by: number) => {
    const count = (deletions.get(name) ?? 0) + by
    if (count > 0) deletions.set(name, count)
    else deletions.delete(name)
  }

  const flushSoon = () => {
    if (isFlushing) return
    isFlushing = true
    setImmediate(() => {
      isFlushing = false
      flush()
    })
  }
  const flush = () => {
    const { connections } = link
    if (connections === undefined || isReloading) return
    deps.flushing(connections)
    while (waiting.length > 0 && underWay.length < mostCalls) void send(connections, takeCall())
  }

  /** The next messages, or one deletion. Those of a log stay in order; the logs of a call have none. */
  const takeCall = (): Call<Subject, D> => {
    let callBytes = 0
    let end = 0
    for (; end < Math.min(waiting.length, MOST_IN_CALL); end++) {
      const item = waiting[end]!
      const isFull = item.draft === undefined || callBytes + item.bytes > MOST_CALL_BYTES
      if (isFull && end > 0) break
      callBytes += item.bytes
      if (item.draft === undefined) {
        end++
        break
      }
    }
    const byLog = Map.groupBy(waiting.splice(0, end), ({ log }) => log)
    const items = [...byLog.values()].flat()
    const { level } = link.guarantees
    const sentAt = performance.now()
    const call = { number: ++lastNumber, level, items, byLog, bytes: callBytes, sentAt, isRefused: false }
    underWay.push(call)
    return call
  }

  const send = async (connections: Connections, call: Call<Subject, D>): Promise<void> => {
    const isDeletion = call.items[0]!.draft === undefined
    try {
      if (isDeletion) deletionDone(call, await sendDeletion(connections, call))
      else appendsDone(call, ...(await sendAppends(connections, call)))
    } catch (problem) {
      failed(connections, call, problem)
    }
  }

  const sendDeletion = async (connections: Connections, { items, number }: Call<Subject, D>): Promise<number> => {
    const { log } = items[0]!
    const keys = [words.fenceKey, ...words.keysOf(log)]
    const args = [generation, number, words.time(), words.keepOf(log.options), ...words.knownOf(log)]
    return deletedIn(await callScript(connections.commands, scripts.delete, keys, args), number)
  }

  const sendAppends = async ({ commands }: Connections, { byLog, number, level }: Call<Subject, D>) => {
    // On the same connection: what is sent here first is done first.
    const needed = options.records?.ahead(namesOf(byLog.keys()))
    const keys = [words.fenceKey]
    const { node, dedupWindowMs } = options
    const settled = level === 'disk' ? link.guarantees.settledAs || UNSETTLED : ''
    const args: (string | number)[] = [node, generation, number, words.now(), words.time(), dedupWindowMs, settled]
    const prints = deps.prints()
    for (const [log, items] of byLog) {
      keys.push(...words.keysOf(log))
      args.push(log.name, newsChannelOf(log.name), log.options.size, log.options.ttlMs, words.keepOf(log.options))
      args.push(...words.knownOf(log), messagesText(items, prints))
      args.push(needed === undefined ? '' : placesText(needed.get(log.name) ?? []))
    }
    const answer = callScript(commands, scripts.append, keys, args)
    return Promise.all([answer, waitBehind(commands, options, link.guarantees)])
  }

  const appendsDone = (call: Call<Subject, D>, answer: unknown, behind: Replicated) => {
    if (!underWay.includes(call)) return
    const { number, items, byLog } = call
    const counts = Array.from(byLog.values(), ({ length }) => length)
    const { isOnDisk, outcomes, byLength, byAge, damages } = appendsIn(answer, { number, counts })
    checkPlaces(items, outcomes)
    metrics.called((performance.now() - call.sentAt) / 1000, items.length)
    const waited = waitedOf(call, isOnDisk, behind)
    // What Redis promises has changed: the next one to ask is to know.
    if (waited.level !== call.level) link.lookAgain()
    const damaged = damages.size === 0 ? undefined : damagesByLog(byLog, damages)
    outcomes.forEach((outcome, i) => deps.settle(items[i]!, outcome, waited, damaged?.get(items[i]!.log)))
    if (byLength > 0) metrics.expire('length', byLength)
    if (byAge > 0) metrics.expire('age', byAge)
    finish(call)
  }

  const deletionDone = (call: Call<Subject, D>, count: number) => {
    if (!underWay.includes(call)) return
    const { name } = call.items[0]!.log
    if (count > 0) metrics.expire('deleted', count)
    countDeletion(name, -1)
    deps.deleted(name)
    finish(call)
  }

  const finish = (call: Call<Subject, D>) => {
    underWay = underWay.filter((one) => one !== call)
    bytes -= call.bytes
    if (isReloading) returnAll()
    else flush()
  }

  const failed = (connections: Connections, call: Call<Subject, D>, problem: unknown) => {
    if (!underWay.includes(call)) return
    const outcome = outcomeOf(problem)
    call.isRefused = outcome !== 'unknown'
    if (outcome === 'reload') isReloading = true
    // Behind one that was not done nothing is done.
    if (isReloading && call.isRefused) return returnAll()
    if (!call.isRefused) deps.unexpected(problem)
    link.drop(connections, nameOfFault(problem))
  }

  /** The scripts are gone: what was sent did not run. When everything that is under way has come back, it goes again, in order. */
  const returnAll = () => {
    const { connections } = link
    if (connections === undefined || underWay.some(({ isRefused }) => !isRefused)) return
    if (underWay.length > 0) lastNumber = underWay[0]!.number - 1
    waiting = [...underWay.flatMap(({ items }) => items), ...waiting]
    underWay = []
    loadScripts(connections.commands).then(
      () => {
        isReloading = false
        flush()
      },
      (problem) => link.drop(connections, nameOfFault(problem)),
    )
  }

  return {
    get bytes() {
      return bytes
    },
    get size() {
      return underWay.reduce((sum, { items }) => sum + items.length, waiting.length)
    },
    add(item) {
      put([item])
      waiting.push(item)
      flushSoon()
    },
    addFirst(items) {
      put(items)
      waiting = [...items, ...waiting]
    },
    flushSoon,
    deletes: (name) => deletions.has(name),
    callOf: (origin) =>
      origin.generation === String(generation) ? underWay.find(({ number }) => number === origin.call) : undefined,
    begin(newGeneration, lastCall) {
      generation = newGeneration
      lastNumber = lastCall
    },
    takeAll() {
      const all = { underWay, waiting }
      underWay = []
      waiting = []
      bytes = 0
      isReloading = false
      deletions.clear()
      return all
    },
  }
}

/** What came of waiting for a call, with its level: that of when it was sent, or less where Redis said so when it was done. */
export const waitedOf = (
  { level }: { readonly level: DurabilityLevel },
  isOnDisk: boolean,
  behind: Replicated = NOT_WAITED,
): Replicated => ({ replicas: behind.replicas, level: behind.level ?? (isOnDisk ? level : 'stored') })

/** A position that an answer gives must be the one that was announced, and later than what its log took before. */
function checkPlaces<Subject, D extends Draft>(
  items: readonly Operation<Subject, D>[],
  outcomes: readonly Outcome[],
): void {
  outcomes.forEach((outcome, i) => {
    if (outcome.kind !== 'appended') return
    const { position } = outcome
    const { log, announcedAt } = items[i]!
    if (log.takePlace(position) && (announcedAt === undefined || isSame(announcedAt, position))) return
    throw new UnreadableReply('a position that names another message', { log: log.name, position, announcedAt })
  })
}

const isSame = (one: Position, other: Position): boolean => one.n === other.n && one.ms === other.ms

/** Damages by their logs, in place of the places of these in the call. */
function damagesByLog<Log>(byLog: ReadonlyMap<Log, unknown>, damages: ReadonlyMap<number, Damage>): Map<Log, Damage> {
  const logs = [...byLog.keys()]
  return new Map([...damages].map(([place, damage]) => [logs[place]!, damage]))
}

function* namesOf(logs: Iterable<{ readonly name: string }>): Iterable<string> {
  for (const { name } of logs) yield name
}

/** Where the records are that a log needs, as `append.lua` takes them. */
const placesText = (places: readonly RecordPlace[]): string =>
  places.map(([key, field]) => `${key}\x1f${field}${END}`).join('')

/** Ends a part of the text for `append.lua`; it stands in no JSON. */
const END = '\x1e'

/** The messages of one log as `append.lua` takes them, in one text: a text for each part took a sixth of all the time that a stored message takes here. */
function messagesText(items: readonly Operation<unknown, Draft>[], prints: Fingerprints): string {
  const pieces: string[] = []
  for (const { draft } of items) {
    const { envelope, deduplicated } = draft!
    pieces.push(deduplicated ? prints.of(envelope) : '', END, envelope.head, END, envelope.body, envelope.joint, END)
  }
  return pieces.join('')
}
