/**
 * Subscriptions as data: how they are created and found, and from where they catch up
 * (docs/decisions/0019-a-subscription-is-an-object.md).
 */
import type { Position } from '@arqonbus/protocol'
import { type Log, UNKNOWN } from '../log/contract.ts'
import type { Client, Cursors, Feed, Subscription, SubscriptionOptions } from './model.ts'

/** Positions to recover from, by log: of a log that is not among them nothing is recovered. */
export type Starts = ReadonlyMap<Log, Position>

/** Nothing is recovered. */
export const NO_STARTS: Starts = new Map()

/**
 * Creates a subscription by which nothing is delivered yet. Its caller enters it where client and target look for it.
 */
export const createSubscription = (client: Client, feed: Feed, options?: SubscriptionOptions): Subscription => ({
  client,
  feed,
  state: 'off',
  options,
  joins: 0,
})

/** Creates a subscription that a client has without a join of its own, and enters it there. */
export function implySubscription(client: Client, feed: Feed, options?: SubscriptionOptions): Subscription {
  const subscription = createSubscription(client, feed, options)
  client.implied.set(feed, subscription)
  return subscription
}

/** The subscriptions of a client. */
type Subscriber = Pick<Client, 'implied' | 'rooms' | 'channels'>

/**
 * All subscriptions of a client, implied ones first: a broadcast is delivered before what goes to the channels of its
 * room.
 */
export function* allSubscriptions({ implied, rooms, channels }: Subscriber): Iterable<Subscription> {
  yield* implied.values()
  yield* rooms.values()
  yield* channels.values()
}

/** True while one of a client's subscriptions is catching up. */
export function isCatchingUp(client: Subscriber): boolean {
  for (const { state } of allSubscriptions(client)) if (typeof state === 'object') return true
  return false
}

/** Changes the state of a subscription; the counts of its feed follow. */
export function setState(subscription: Subscription, state: Subscription['state']): void {
  const { feed, state: before } = subscription
  feed.subscribers += Number(state !== 'off') - Number(before !== 'off')
  feed.live += Number(state === 'live') - Number(before === 'live')
  feed.sampled += Number(state === 'sampled') - Number(before === 'sampled')
  subscription.state = state
}

/** The cursors of a subscription that has everything. */
export function headsOf(feed: Feed): Cursors {
  const cursors: Cursors = new Map()
  for (const log of feed.logs()) cursors.set(log, log.lastDelivered)
  return cursors
}

/** The cursors of a subscription that begins at these positions; undefined where it lacks nothing. */
export function cursorsAt(feed: Feed, starts: Starts): Cursors | undefined {
  if (starts.size === 0) return undefined
  let isLacking = false
  const cursors = headsOf(feed)
  for (const log of cursors.keys()) {
    const start = starts.get(log)
    if (start === undefined) continue
    cursors.set(log, start)
    isLacking ||= start.n !== log.lastDelivered.n
  }
  return isLacking ? cursors : undefined
}

/**
 * The position of the last message that was delivered. In a log that is not among the cursors, or of which nothing was
 * known when they were made, it is where the log stood when this node came to know it.
 */
export function cursorIn(cursors: Cursors, log: Log): Position {
  const cursor = cursors.get(log)
  return cursor === undefined || cursor === UNKNOWN ? log.attachedAt : cursor
}
