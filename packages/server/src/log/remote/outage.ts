/**
 * Outages: while the store is away, messages that ask for no more than `memory` are queued, in order; everything else
 * is refused. The outcome of what was under way when it went is unknown; whether it was executed shows when the store
 * is back (`fence`), and what was not is appended then, before anything newer.
 */
import { CodedError } from '@arqonbus/protocol'
import type { AppendOutcome, Draft, LogListener } from '../contract.ts'
import { isSameContent } from '../message-identity.ts'
import { AWAY_RETRY_AFTER_MS, awayError, closedRefusal, conflictRefusal, refusal } from '../refusals.ts'
import type { StoreCall } from './append-batches.ts'
import { type Operation, operationOf } from './operation.ts'
import { OutageQueue } from './outage-queue.ts'
import type { RemoteLog } from './remote-log.ts'
import type { RemoteLogOptions } from './remote-options.ts'

type OutageOptions = Pick<RemoteLogOptions<never>, 'outageQueueBytes' | 'outageQueueLimit' | 'mode'>

/** What the driver does while the store is away. */
export class Outage<Subject, D extends Draft> {
  /** What is to be done when the store is back. */
  readonly queue: OutageQueue<Operation<Subject, D>>
  readonly #options: OutageOptions
  readonly #listening: { readonly listener: LogListener<Subject, D> }

  constructor(options: OutageOptions, listening: { readonly listener: LogListener<Subject, D> }) {
    this.queue = new OutageQueue(options.outageQueueBytes)
    this.#options = options
    this.#listening = listening
  }

  append(log: RemoteLog<Subject, D>, draft: D): void {
    this.#listening.listener.settled(log.subject, draft, this.#take(log, draft))
  }

  /** The store has gone: each message that was under way, or waited, gets its outcome. */
  begin(underWay: readonly StoreCall<Subject, D>[], waiting: readonly Operation<Subject, D>[]): void {
    const outcomes: [Operation<Subject, D>, AppendOutcome | undefined][] = []
    for (const { number, items, isRefused } of underWay) {
      for (const item of items) {
        if (!item.hasReply) outcomes.push([item, isRefused ? this.#takeBack(item) : this.#giveUp(item, number)])
      }
    }
    for (const item of waiting) outcomes.push([item, this.#takeBack(item)])
    // A sender that gets one outcome may send the next message: by then everything that came before it has its place.
    for (const [{ log, unsettledDraft }, outcome] of outcomes) {
      if (unsettledDraft !== undefined && outcome !== undefined)
        this.#listening.listener.settled(log.subject, unsettledDraft, outcome)
    }
  }

  /** Queues a message, or refuses it. */
  #take(log: RemoteLog<Subject, D>, draft: D): AppendOutcome {
    const { mode, outageQueueLimit } = this.#options
    if (mode === 'strict' || draft.requiresDurability) return refusal(awayError())
    const known = draft.deduplicated ? this.queue.find(log.name, draft.envelope) : undefined
    // A message that was under way when the store went has no known outcome until it is back.
    if (known?.call !== undefined) return refusal(awayError())
    if (known !== undefined) {
      const isSame = isSameContent(known.item.draft!.envelope, draft.envelope)
      return isSame ? { kind: 'duplicate', position: undefined } : conflictRefusal(draft)
    }
    const item: Operation<Subject, D> = { ...operationOf(log, draft), unsettledDraft: undefined }
    if (!this.queue.hasRoom(item.bytes)) return refusal(awayError({ limit: outageQueueLimit }))
    this.queue.add(item)
    return { kind: 'queued' }
  }

  /** The store did not execute this message: it is queued or refused. */
  #takeBack(item: Operation<Subject, D>): AppendOutcome | undefined {
    const { log, unsettledDraft } = item
    if (unsettledDraft !== undefined) return log.isClosed ? closedRefusal() : this.#take(log, unsettledDraft)
    this.queue.add(item)
    return undefined
  }

  /** The store may have executed this message or not: its outcome is unknown, and the queue keeps it for `fence`. */
  #giveUp(item: Operation<Subject, D>, call: number): AppendOutcome {
    this.queue.add({ ...item, unsettledDraft: undefined }, call)
    return { kind: 'unknown', error: new CodedError('outcome_unknown', undefined, AWAY_RETRY_AFTER_MS) }
  }
}
