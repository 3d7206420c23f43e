/**
 * Where a client that joins goes on in a log: what the log says of the position that the client has, and what the join
 * says of that.
 */
import { CodedError, type Position, positionText } from '@arqonbus/protocol'
import type { Delivery } from '../delivery/deliver.ts'
import type { Maybe } from '../kit/maybe.ts'
import type { Located, Log } from '../log/contract.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Subscription } from '../state/model.ts'
import type { Starts } from '../state/subscription.ts'
import type { JoinResult } from './join-request.ts'

/** A log, the position that a client has of it, and what the log says of that. */
export type Asked = {
  readonly log: Log | undefined
  readonly since: Position | undefined
  readonly found: NewStart | undefined
}

/**
 * What a join says of one log. `position` is the head, or the cursor of a subscription that is catching up: everything
 * after it is delivered.
 */
export type Recovery = Pick<JoinResult, 'position' | 'recovered' | 'missed' | 'reason' | 'first' | 'complete'>

/** A log that a client joins, with what it has of it, and whether it may read what was said before the join. */
type Question = {
  readonly log: Log | undefined
  readonly since: Position | undefined
  readonly sinceId: string | undefined
  readonly mayRead: boolean
}

/**
 * Asks a log. Without `since` it is enough to know its head, and during an outage not even that. A client that may not
 * read history goes on with new messages.
 */
export function askLog({ log, since, sinceId, mayRead }: Question): Maybe<NewStart | undefined> {
  if (log === undefined) return undefined
  if (since !== undefined && mayRead) return log.locate(since, sinceId)
  const known = log.ready()
  const goOn = () => (since === undefined ? undefined : newOnly(log))
  return known instanceof Promise ? known.catch(ignoreAway).then(goOn) : goOn()
}

/** Where a client goes on: what the log says, or `forbidden` where it may not read history. */
export type NewStart =
  | Located
  | (Omit<Extract<Located, { recovered: false }>, 'reason'> & { readonly reason: 'forbidden' })

function newOnly({ lastDelivered: head }: Log): NewStart | undefined {
  return head.n < 0 ? undefined : { recovered: false, reason: 'forbidden', first: head, head, base: head }
}

function ignoreAway(problem: unknown): undefined {
  if (problem instanceof CodedError && problem.code === 'storage_unavailable') return undefined
  throw problem
}

/**
 * What `askLog` gives, of a log that took the place of the one that was asked. It was opened while the other logs were
 * asked, so there is nothing to wait for: it has everything that it took since, unless it says otherwise later.
 */
export function askNewLog({ log, since, mayRead }: Omit<Question, 'sinceId'>): NewStart | undefined {
  if (since === undefined || log === undefined) return undefined
  if (!mayRead) return newOnly(log)
  const { origin, attachedAt, lastDelivered: head } = log
  if (head.n < 0) return undefined
  const isOwn = [origin, attachedAt].some(({ ms, n }) => since.ms === ms && since.n === n)
  if (isOwn && since.n === attachedAt.n) return { recovered: true, missed: head.n - attachedAt.n, head }
  const first = log.recent(attachedAt.n, 1, 1)?.[0] ?? head
  return { recovered: false, reason: isOwn ? 'trimmed' : 'reset', first, head, base: attachedAt }
}

/** The positions from which a client goes on: its own, where a log can go on there. */
export function startsOf(asked: Iterable<Asked>): Starts {
  const starts = new Map<Log, Position>()
  for (const { log, since, found } of asked) {
    if (log === undefined || since === undefined || found === undefined) continue
    starts.set(log, found.recovered ? since : found.base)
  }
  return starts
}

/** What it takes to say where a client goes on. */
export type RecoveryDeps = {
  readonly delivery: Pick<Delivery, 'start' | 'positionOf'>
  readonly metrics: Pick<Metrics, 'recovery'>
}

/** What a join says of a log, which a subscription delivers. */
export function recoveryOf(
  { delivery, metrics }: RecoveryDeps,
  { log, since, found }: Asked,
  subscription: Subscription | undefined,
): Recovery {
  if (log === undefined) return {}
  if (since === undefined || found === undefined) {
    const position = subscription === undefined ? log.lastDelivered : delivery.positionOf(subscription, log)
    // The head of a log in an unreachable store is not known: delivery is live, from the head, wherever that is.
    return position.n < 0 ? {} : { position: positionText(position) }
  }
  const from = found.recovered ? since : found.base
  // The log may have more than was announced on this node, or have been asked before what was announced since.
  const head = found.head.n > log.lastDelivered.n ? found.head : log.lastDelivered
  const missed = head.n - from.n
  metrics.recovery(found.recovered ? 'recovered' : found.reason, missed)
  if (found.recovered) return { position: positionText(head), recovered: true, missed }
  const { reason, first, isComplete } = found
  return {
    position: positionText(from),
    recovered: false,
    reason,
    first: positionText(first),
    missed,
    ...(isComplete && { complete: true }),
  }
}

/** The fields of a join that say what `recoveryOf` says, of the broadcast of the room. */
export const roomFields = ({ position, recovered, reason, complete }: Recovery) => ({
  ...(position !== undefined && { room_position: position }),
  ...(recovered !== undefined && { room_recovered: recovered }),
  ...(reason !== undefined && { room_reason: reason }),
  ...(complete && { room_complete: complete }),
})
