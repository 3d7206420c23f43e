/**
 * What happens to messages while Redis is away: those that ask for no more than `memory` are held, in order; everything else is refused. What was under way
 * when it went has no known outcome; whether it was done shows when Redis is back (`fence.lua`), and what was not is appended then, before anything newer.
 */
import { CodedError } from '@arqonbus/protocol'
import type { Draft, LogListener } from '../contract.ts'
import { isSameContent } from '../message-identity.ts'
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
  /** How much is held. */
  readonly size: number
  readonly bytes: number
  append(log: RedisLog<Subject, D>, draft: D): void
  /** A deletion waits for its turn. */
  hold(item: Operation<Subject, D>): void
  /** Redis has gone: of what was under way, and of what waited, each message has its outcome. */
  begin(underWay: readonly Call<Subject, D>[], waiting: readonly Operation<Subject, D>[]): void
  /** Redis is back, and the last call that it has done, or ever will do, is this one. */
  lastDone(call: number): void
  /** Takes out what is held, in order. */
  takeAll(): Operation<Subject, D>[]
}

/** Nothing is held. */
export function createOutage<Subject, D extends Draft>(
  { heldBytes, mode }: Pick<RedisLogOptions, 'heldBytes' | 'mode'>,
  listener: () => LogListener<Subject, D>,
): Outage<Subject, D> {
  const held = createOutageQueue<Operation<Subject, D>>(heldBytes)

  /** Holds a message, or does not; returns what is to be told. */
  const take = (log: RedisLog<Subject, D>, draft: D): (() => void) => {
    const refuse = (error: CodedError) => () => listener().refused(log.subject, error, draft)
    if (mode === 'strict' || draft.requiresDurability) return refuse(isAwayError())
    const known = draft.deduplicated ? held.find(log.name, draft.envelope) : undefined
    // What was under way when Redis went has no known outcome before it is back.
    if (known?.isUnknown === true) return refuse(isAwayError())
    if (known !== undefined) {
      const isSame = isSameContent(known.item.draft!.envelope, draft.envelope)
      if (!isSame) return refuse(new CodedError('id_conflict', { id: draft.envelope.id }))
      return () => listener().duplicate(log.subject, undefined, draft)
    }
    const item = { ...messageOf(log, draft), owner: undefined }
    if (!held.hasRoom(item.bytes)) return refuse(isAwayError({ limit: 'redis_held_bytes' }))
    held.add(item)
    return () => listener().held(log.subject, draft)
  }

  /** It was not done. */
  const takeBack = (item: Operation<Subject, D>): (() => void) => {
    const { log, owner } = item
    if (owner === undefined) held.add(item)
    else if (!log.isClosed) return take(log, owner)
    else return () => listener().refused(log.subject, new CodedError('channel_not_found'), owner)
    return nothing
  }

  /** Nobody knows whether it was done. */
  const giveUp = (item: Operation<Subject, D>, call: number): (() => void) => {
    const { log, owner } = item
    held.add({ ...item, owner: undefined }, call)
    if (owner === undefined) return nothing
    return () => listener().refused(log.subject, new CodedError('outcome_unknown', undefined, RETRY_AFTER_MS), owner)
  }

  return {
    get size() {
      return held.size
    },
    get bytes() {
      return held.bytes
    },
    append: (log, draft) => take(log, draft)(),
    hold: (item) => held.add(item),
    begin(underWay, waiting) {
      const outcomes: (() => void)[] = []
      for (const { number, items, isRefused } of underWay) {
        for (const item of items) if (!item.isTold) outcomes.push(isRefused ? takeBack(item) : giveUp(item, number))
      }
      for (const item of waiting) outcomes.push(takeBack(item))
      // Whoever hears of one may send the next: by then everything that came before it has its place.
      for (const tell of outcomes) tell()
    },
    lastDone: (call) => held.forgetDone(call),
    takeAll: () => held.takeAll(),
  }
}

const nothing = () => {}
