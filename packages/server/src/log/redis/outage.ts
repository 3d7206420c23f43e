/**
 * What happens to messages while Redis is away: those that ask for no more than `memory` are queued, in order; everything else is refused. What was under way
 * when it went has no known outcome; whether it was done shows when Redis is back (`fence.lua`), and what was not is appended then, before anything newer.
 */
import { CodedError } from '@arqonbus/protocol'
import type { AppendOutcome, Draft, LogListener } from '../contract.ts'
import { isSameContent } from '../message-identity.ts'
import { closedRefusal, conflictRefusal, refusal } from '../refusals.ts'
import type { Call } from './append-batches.ts'
import type { RedisLogOptions } from './driver-options.ts'
import { messageOf, type Operation } from './operation.ts'
import { createOutageQueue } from './outage-queue.ts'
import type { RedisLog } from './redis-log.ts'

/** When to try again what was refused because Redis is away. */
const RETRY_AFTER_MS = 1000

/** The refusal of what cannot be taken, or asked, because Redis is away. */
export const isAwayError = (details?: Record<string, unknown>): CodedError =>
  new CodedError('storage_unavailable', details, RETRY_AFTER_MS)

/** What the driver does while Redis is away. */
export type Outage<Subject, D extends Draft> = {
  /** How much is queued. */
  readonly size: number
  readonly bytes: number
  append(log: RedisLog<Subject, D>, draft: D): void
  /** A deletion waits for its turn. */
  hold(item: Operation<Subject, D>): void
  /** Redis has gone: of what was under way, and of what waited, each message has its outcome. */
  begin(underWay: readonly Call<Subject, D>[], waiting: readonly Operation<Subject, D>[]): void
  /** Redis is back, and the last call that it has done, or ever will do, is this one. */
  lastDone(call: number): void
  /** Takes out what is queued, in order. */
  takeAll(): Operation<Subject, D>[]
}

/** An outage queue that is empty. */
export function createOutage<Subject, D extends Draft>(
  { heldBytes, mode }: Pick<RedisLogOptions, 'heldBytes' | 'mode'>,
  listener: () => LogListener<Subject, D>,
): Outage<Subject, D> {
  const queue = createOutageQueue<Operation<Subject, D>>(heldBytes)

  /** Queues a message, or does not. */
  const take = (log: RedisLog<Subject, D>, draft: D): AppendOutcome => {
    if (mode === 'strict' || draft.requiresDurability) return refusal(isAwayError())
    const known = draft.deduplicated ? queue.find(log.name, draft.envelope) : undefined
    // What was under way when Redis went has no known outcome before it is back.
    if (known?.isUnknown === true) return refusal(isAwayError())
    if (known !== undefined) {
      const isSame = isSameContent(known.item.draft!.envelope, draft.envelope)
      return isSame ? { kind: 'duplicate', position: undefined } : conflictRefusal(draft)
    }
    const item = { ...messageOf(log, draft), owner: undefined }
    if (!queue.hasRoom(item.bytes)) return refusal(isAwayError({ limit: 'redis_held_bytes' }))
    queue.add(item)
    return { kind: 'queued' }
  }

  /** It was not done. */
  const takeBack = (item: Operation<Subject, D>): AppendOutcome | undefined => {
    const { log, owner } = item
    if (owner !== undefined) return log.isClosed ? closedRefusal() : take(log, owner)
    queue.add(item)
    return undefined
  }

  /** It may have been done or not. */
  const giveUp = (item: Operation<Subject, D>, call: number): AppendOutcome => {
    queue.add({ ...item, owner: undefined }, call)
    return { kind: 'unknown', error: new CodedError('outcome_unknown', undefined, RETRY_AFTER_MS) }
  }

  return {
    get size() {
      return queue.size
    },
    get bytes() {
      return queue.bytes
    },
    append: (log, draft) => listener().settled(log.subject, draft, take(log, draft)),
    hold: (item) => queue.add(item),
    begin(underWay, waiting) {
      const outcomes: [Operation<Subject, D>, AppendOutcome | undefined][] = []
      for (const { number, items, isRefused } of underWay) {
        for (const item of items) {
          if (!item.isTold) outcomes.push([item, isRefused ? takeBack(item) : giveUp(item, number)])
        }
      }
      for (const item of waiting) outcomes.push([item, takeBack(item)])
      // A sender that gets one outcome may send the next message: by then everything that came before it has its place.
      for (const [{ log, owner }, outcome] of outcomes) {
        if (owner !== undefined && outcome !== undefined) listener().settled(log.subject, owner, outcome)
      }
    },
    lastDone: (call) => queue.forgetDone(call),
    takeAll: () => queue.takeAll(),
  }
}
