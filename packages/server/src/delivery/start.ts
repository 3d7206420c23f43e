/** Begins to deliver subscriptions, and takes them to other positions or to another policy. */
import type { Position } from '@arqonbus/protocol'
import type { Log } from '../log/contract.ts'
import type { Cursors, Feed, Subscription } from '../state/model.ts'
import { cursorIn, cursorsAt, headsOf, type Starts } from '../state/subscription.ts'
import type { CatchUp } from './catch-up.ts'
import type { LiveSubscriptions } from './live.ts'
import type { LogRange } from './sampling/newest.ts'
import type { Preludes } from './sampling/preludes.ts'
import type { Sampling } from './sampling/sampling.ts'

/** What starting needs. */
export type StartDeps = {
  readonly live: LiveSubscriptions
  readonly catchUp: Pick<CatchUp, 'begin'>
  readonly sampling: Sampling
  readonly preludes: Preludes
  /** Writes the notice behind the messages of a snapshot. */
  readonly snapshotNotice: (address: Feed['address'], messages: number, isComplete: boolean) => string
}

/** A snapshot that a subscription gets first: of which logs, and where its end is announced. */
export type SnapshotWish = { readonly address: Feed['address']; readonly logs: Iterable<Log> }

/** From where a subscription begins. */
type Beginning = { readonly starts: Starts; readonly snapshot: SnapshotWish | undefined }

/** Begins to deliver a subscription, or takes it to a beginning. */
export function startDelivery(deps: StartDeps, subscription: Subscription, beginning: Beginning): void {
  if (subscription.options?.delivery !== undefined) startSampled(deps, subscription, beginning)
  else if (subscription.state === 'sampled') endPolicy(deps, subscription, beginning)
  else if (beginning.snapshot !== undefined) startWithSnapshot(deps, subscription, beginning.snapshot)
  else startInFull(deps, subscription, beginning.starts)
}

function startInFull({ live, catchUp }: StartDeps, subscription: Subscription, starts: Starts): void {
  const { state, feed } = subscription
  if (state === 'off') {
    const cursors = cursorsAt(feed, starts)
    if (cursors === undefined) live.begin(subscription)
    else catchUp.begin(subscription, cursors)
    return
  }
  for (const log of starts.size === 0 ? [] : feed.logs()) {
    const at = starts.get(log)
    const isThere = at === undefined || (subscription.state === 'live' && at.n === live.positionOf(subscription, log).n)
    if (!isThere) catchUp.begin(subscription, live.cursorsOf(subscription).set(log, at))
  }
}

/** It stays where it is until its client has the snapshot, and catches up from there. */
function startWithSnapshot(deps: StartDeps, subscription: Subscription, snapshot: SnapshotWish): void {
  const cursors = deps.live.cursorsOf(subscription)
  const ranges = Array.from(snapshot.logs, (log) => ({ log, after: undefined, upTo: cursorIn(cursors, log) }))
  deps.preludes.begin(subscription, { ranges, notice: noticeOf(deps, snapshot) })
  deps.catchUp.begin(subscription, cursors)
}

/** What it lacks, of its earlier position or of its starts, is the newest message of each key. */
function startSampled(deps: StartDeps, subscription: Subscription, { starts, snapshot }: Beginning): void {
  const { live, sampling, preludes } = deps
  const { feed, state } = subscription
  const isSampled = state === 'sampled' && sampling.fits(subscription)
  const first = state === 'sampled' && !isSampled ? sampling.leave(subscription) : []
  const last = state === 'live' || typeof state === 'object' ? live.stop(subscription) : undefined
  const ranges = snapshot ? wholeOf(snapshot) : lacked(feed, starts, typeof last === 'object' ? last : undefined)
  if (snapshot !== undefined || ranges.length > 0 || first.length > 0)
    preludes.begin(subscription, { ranges, first, notice: noticeOf(deps, snapshot) })
  if (isSampled) sampling.hold(subscription)
  else sampling.enter(subscription)
}

/** What the policy still kept for its client goes ahead of all that comes from now on. */
function endPolicy(deps: StartDeps, subscription: Subscription, { starts, snapshot }: Beginning): void {
  const { sampling, preludes, catchUp } = deps
  const { feed } = subscription
  const first = sampling.leave(subscription)
  const cursors = headsOf(feed)
  for (const log of cursors.keys()) {
    const start = starts.get(log)
    if (start !== undefined) cursors.set(log, start)
  }
  if (first.length > 0 || snapshot !== undefined)
    preludes.begin(subscription, { ranges: snapshot ? wholeOf(snapshot) : [], first, notice: noticeOf(deps, snapshot) })
  catchUp.begin(subscription, cursors)
}

const noticeOf =
  ({ snapshotNotice }: StartDeps, snapshot: SnapshotWish | undefined) =>
  (messages: number, isComplete: boolean) =>
    snapshot && snapshotNotice(snapshot.address, messages, isComplete)

const wholeOf = ({ logs }: SnapshotWish): LogRange[] =>
  Array.from(logs, (log) => ({ log, after: undefined, upTo: log.lastDelivered }))

/** The parts of logs behind the starts, or behind the last cursors where a log has no start. */
function lacked(feed: Feed, starts: Starts, last: Cursors | undefined): LogRange[] {
  const ranges: LogRange[] = []
  if (starts.size === 0 && last === undefined) return ranges
  for (const log of feed.logs()) {
    const after: Position | undefined = starts.get(log) ?? (last && cursorIn(last, log))
    if (after !== undefined && isLacking(log, after)) ranges.push({ log, after, upTo: log.lastDelivered })
  }
  return ranges
}

const isLacking = (log: Log, after: Position): boolean => after.n < log.lastDelivered.n
