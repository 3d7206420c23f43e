/**
 * What is on its way to the store. What waits at the end of a tick goes in one call, and few calls are under way at
 * once, so that a busy store gets more with each.
 *
 * A call has a number, and the store executes it only after the one before: of what was refused nothing newer is
 * executed.
 */
import type { Position } from '@arqonbus/protocol'
import { onceATurn } from '../../kit/once-a-turn.ts'
import type { Draft, LogListener } from '../contract.ts'
import { closedRefusal, conflictRefusal, refusal } from '../refusals.ts'
import type { Deletions } from './deletions.ts'
import type { Operation } from './operation.ts'
import type { RemoteLog } from './remote-log.ts'
import type { RemoteLogMetrics } from './remote-options.ts'
import {
  type AppendCall,
  type AppendReply,
  type Damage,
  type Origin,
  type Placed,
  type RemoteStore,
  StoreFault,
  type StoreOutcome,
  type StoreSession,
} from './remote-store.ts'
import type { Reports } from './reports.ts'

/** A call that is under way. */
export type StoreCall<Subject, D extends Draft> = Omit<AppendCall, 'byLog'> & {
  /** Its messages, log by log, in which order reply and announcements tell of them; or one deletion. */
  readonly items: readonly Operation<Subject, D>[]
  /** Its messages, by log. */
  readonly byLog: ReadonlyMap<RemoteLog<Subject, D>, readonly Operation<Subject, D>[]>
  readonly bytes: number
  readonly sentAt: number
  /** True where the store said that it did not execute it. */
  isRefused: boolean
}

/** What sending needs. */
type BatchesDeps<Subject, D extends Draft> = {
  readonly store: RemoteStore
  readonly metrics: RemoteLogMetrics
  readonly deletions: Deletions
  readonly reports: Reports
  readonly listening: { readonly listener: LogListener<Subject, D> }
}

/** So many messages and bytes go in one call: a store does nothing else meanwhile. */
const MOST_IN_CALL = 128
const MOST_CALL_BYTES = 256 * 1024

/** What is on its way. */
export class Batches<Subject, D extends Draft> {
  /** Bytes of what waits and of what is under way. */
  bytes = 0
  readonly #deps: BatchesDeps<Subject, D>
  #waiting: Operation<Subject, D>[] = []
  #underWay: StoreCall<Subject, D>[] = []
  #generation = 0
  #lastNumber = 0
  /** Sends what waits, at the end of this tick. */
  readonly flushSoon = onceATurn(() => this.#flush())
  /** True from when a call came back to be repeated until everything that is under way has come back. */
  #isReturning = false

  constructor(deps: BatchesDeps<Subject, D>) {
    this.#deps = deps
  }

  get size(): number {
    return this.#underWay.reduce((sum, { items }) => sum + items.length, this.#waiting.length)
  }

  add(item: Operation<Subject, D>): void {
    this.#count(item)
    this.#waiting.push(item)
    this.flushSoon()
  }

  /** What has been queued goes ahead of everything. */
  addFirst(items: readonly Operation<Subject, D>[]): void {
    for (const item of items) this.#count(item)
    this.#waiting = [...items, ...this.#waiting]
  }

  /**
   * The call that was announced: its items are in the order of the announcement; undefined where it is not under way.
   */
  callOf({ generation, call }: Origin): StoreCall<Subject, D> | undefined {
    return generation === String(this.#generation) ? this.#underWay.find(({ number }) => number === call) : undefined
  }

  /** From now on this generation speaks for the node; it goes on after that call. */
  begin(generation: number, lastCall: number): void {
    this.#generation = generation
    this.#lastNumber = lastCall
  }

  /** Takes everything out: those under way in order, then what waits. */
  takeAll() {
    const all = { underWay: this.#underWay, waiting: this.#waiting }
    this.#underWay = []
    this.#waiting = []
    this.bytes = 0
    this.#isReturning = false
    this.#deps.deletions.clear()
    return all
  }

  #count(item: Operation<Subject, D>): void {
    this.bytes += item.bytes
    if (item.draft === undefined) this.#deps.deletions.add(item.log.name)
  }

  #flush(): void {
    const { store } = this.#deps
    const { session } = store
    if (session === undefined || this.#isReturning) return
    while (this.#waiting.length > 0 && this.#underWay.length < store.callsAtOnce)
      void this.#send(session, this.#takeCall())
  }

  /** The next messages, or one deletion. Those of a log stay in order; the logs of a call have none. */
  #takeCall(): StoreCall<Subject, D> {
    const waiting = this.#waiting
    const isMessage = waiting[0]!.draft !== undefined
    let { bytes } = waiting[0]!
    let end = 1
    for (; isMessage && end < Math.min(waiting.length, MOST_IN_CALL); end++) {
      const item = waiting[end]!
      if (item.draft === undefined || bytes + item.bytes > MOST_CALL_BYTES) break
      bytes += item.bytes
    }
    const byLog = Map.groupBy(waiting.splice(0, end), ({ log }) => log)
    const items = [...byLog.values()].flat()
    const { level } = this.#deps.store
    const sentAt = performance.now()
    const [generation, number] = [this.#generation, ++this.#lastNumber]
    const call = { generation, number, level, items, byLog, bytes, sentAt, isRefused: false }
    this.#underWay.push(call)
    return call
  }

  async #send(session: StoreSession, call: StoreCall<Subject, D>): Promise<void> {
    const { log, draft } = call.items[0]!
    try {
      if (draft === undefined) this.#deleted(call, await session.delete(log, call))
      else this.#appended(call, await session.append(call))
    } catch (problem) {
      this.#failed(session, call, problem)
    }
  }

  #appended(call: StoreCall<Subject, D>, { outcomes, byLength, byAge, byBytes, damages }: AppendReply): void {
    if (!this.#underWay.includes(call)) return
    const { items, byLog } = call
    const { metrics } = this.#deps
    checkPlaces(items, outcomes)
    metrics.called((performance.now() - call.sentAt) / 1000, items.length)
    const damaged = damages.size === 0 ? undefined : damagesByLog(byLog, damages)
    for (let i = 0; i < items.length; i++) this.#settle(items[i]!, outcomes[i]!, damaged)
    if (byLength > 0) metrics.expire('length', byLength)
    if (byAge > 0) metrics.expire('age', byAge)
    if (byBytes > 0) metrics.expire('bytes', byBytes)
    this.#finish(call)
  }

  /** The reply of the store on one message. What was announced before has its outcome already. */
  #settle(
    item: Operation<Subject, D>,
    outcome: StoreOutcome,
    damaged: ReadonlyMap<RemoteLog<Subject, D>, Damage> | undefined,
  ): void {
    if (item.hasReply) return
    item.hasReply = true
    const { log, unsettledDraft } = item
    const { listener } = this.#deps.listening
    try {
      if (outcome.kind === 'appended') log.hear(newsOf(item, outcome))
      else if (outcome.kind === 'damaged') this.#refuseDamaged(item, damaged?.get(log) ?? { key: '', error: '' })
      // Where it has an outcome already, another call has appended it meanwhile, and its entry was delivered.
      else if (unsettledDraft === undefined) return
      else if (outcome.kind === 'duplicate') log.hadAlready({ draft: unsettledDraft, outcome })
      else
        listener.settled(log.subject, unsettledDraft, log.isClosed ? closedRefusal() : conflictRefusal(unsettledDraft))
    } catch (problem) {
      this.#deps.reports.listenerFailed(problem)
    }
  }

  /** Its log takes nothing. A message that was queued, or whose outcome is unknown, is lost with that. */
  #refuseDamaged({ log, unsettledDraft }: Operation<Subject, D>, damage: Damage): void {
    const { reports, listening } = this.#deps
    const error = reports.damaged(log, damage)
    if (unsettledDraft !== undefined) listening.listener.settled(log.subject, unsettledDraft, refusal(error))
    else reports.lost(log, damage)
  }

  #deleted(call: StoreCall<Subject, D>, count: number): void {
    if (!this.#underWay.includes(call)) return
    if (count > 0) this.#deps.metrics.expire('deleted', count)
    this.#deps.deletions.remove(call.items[0]!.log.name)
    this.#finish(call)
  }

  #finish(call: StoreCall<Subject, D>): void {
    this.#underWay = this.#underWay.filter((one) => one !== call)
    this.bytes -= call.bytes
    if (this.#isReturning) this.#returnAll()
    else this.#flush()
  }

  #failed(session: StoreSession, call: StoreCall<Subject, D>, problem: unknown): void {
    if (!this.#underWay.includes(call)) return
    const outcome = problem instanceof StoreFault ? problem.outcome : 'unknown'
    call.isRefused = outcome !== 'unknown'
    if (outcome === 'again') this.#isReturning = true
    // Behind one that was not executed nothing is executed.
    if (this.#isReturning && call.isRefused) return this.#returnAll()
    this.#deps.reports.failed(problem)
    session.end(problem)
  }

  /** When everything that is under way has come back, it goes again, in order. */
  #returnAll(): void {
    const { session } = this.#deps.store
    const underWay = this.#underWay
    if (session === undefined || underWay.some(({ isRefused }) => !isRefused)) return
    if (underWay.length > 0) this.#lastNumber = underWay[0]!.number - 1
    this.#waiting = [...underWay.flatMap(({ items }) => items), ...this.#waiting]
    this.#underWay = []
    session.restore().then(
      () => {
        this.#isReturning = false
        this.#flush()
      },
      (problem) => session.end(problem),
    )
  }
}

/** News of an own message, with its outcome or, where that is still to come, without. */
export const newsOf = <Subject, D extends Draft>(
  { draft, unsettledDraft }: Operation<Subject, D>,
  { position, level, replicas }: Placed,
  isSettled = true,
) => ({
  position,
  parts: draft!.envelope,
  isOwn: true,
  draft: unsettledDraft,
  outcome:
    unsettledDraft !== undefined && isSettled ? ({ kind: 'appended', position, level, replicas } as const) : undefined,
})

/** A position in a reply that cannot be that of its message: the connection is out of step. */
class ImpossiblePosition extends Error {
  readonly code = 'unreadable'
}

/** A position in a reply must be the one that was announced, and later than what its log got before. */
function checkPlaces<Subject, D extends Draft>(
  items: readonly Operation<Subject, D>[],
  outcomes: readonly StoreOutcome[],
): void {
  for (let i = 0; i < items.length; i++) {
    const outcome = outcomes[i]!
    if (outcome.kind !== 'appended') continue
    const { position } = outcome
    const { log, announcedAt } = items[i]!
    if (log.takePlace(position) && (announcedAt === undefined || isSame(announcedAt, position))) continue
    throw new ImpossiblePosition(
      `the position of another message: ${JSON.stringify({ log: log.name, position, announcedAt })}`,
    )
  }
}

const isSame = (one: Position, other: Position): boolean => one.n === other.n && one.ms === other.ms

/** Damages by their logs, in place of the places of these in the call. */
function damagesByLog<Log>(byLog: ReadonlyMap<Log, unknown>, damages: ReadonlyMap<number, Damage>): Map<Log, Damage> {
  const logs = [...byLog.keys()]
  return new Map([...damages].map(([place, damage]) => [logs[place]!, damage]))
}
