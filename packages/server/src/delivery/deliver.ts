/**
 * Delivery: which clients get a text, encoded once (docs/protocol.md#publishing,
 * docs/protocol.md#history-and-recovery).
 *
 * A client has subscriptions, and each delivers by a feed. Where it is live, the runtime's topics deliver what is
 * published. One that begins with positions, or whose connection has too much in its send buffer, has a cursor in each
 * log instead, and `catch-up` makes it live. Other subscriptions do not notice. One with a policy is sampled
 * (`sampling/`).
 */
import type { CloseName, Position } from '@arqonbus/protocol'
import type { Entry, Log } from '../log/contract.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Client, Feed, Subscription } from '../state/model.ts'
import { NO_STARTS, type Starts } from '../state/subscription.ts'
import type { Closing } from './closing.ts'
import type { FanOut, Given, Topics } from './fan-out.ts'
import type { LiveSubscriptions } from './live.ts'
import type { Sampling } from './sampling/sampling.ts'
import { type SnapshotWish, type StartDeps, startDelivery } from './start.ts'

/** The parts of delivery. */
type DeliveryParts = StartDeps & {
  readonly metrics: Pick<Metrics, 'delivered' | 'bytesOut'>
  readonly topics: Topics
  readonly fanOut: FanOut
  readonly live: LiveSubscriptions
  readonly closing: Closing
  readonly sampling: Sampling
  /** Keeps an entry for subscriptions that are catching up in one of the feeds, where the log may not keep it. */
  readonly keepForSlow: ((log: Log, entry: Entry, feeds: readonly Feed[]) => void) | undefined
}

/** Delivery: of subscriptions, and of texts. */
export type Delivery = {
  /**
   * Begins to deliver a subscription: live, or catching up from its starts where it lacks something; with a policy,
   * sampled. One that is delivered already is taken to its starts, forwards or back, and to the policy that it has now.
   * With a snapshot it first gets the newest message of each key.
   */
  start(subscription: Subscription, starts?: Starts, snapshot?: SnapshotWish): void
  /**
   * Ends the delivery of a subscription. Returns the last state, with cursors where its client has yet to get something
   * from a log.
   */
  stop(subscription: Subscription): Subscription['state']
  /** The position of the last message of a log that a subscription was sent. */
  positionOf(subscription: Subscription, log: Log): Position
  /**
   * Sends a text to all live subscriptions of these feeds, except one client: now, or in order when the loop has time
   * for it.
   */
  publish(feeds: readonly Feed[], given: Given, except?: Client): void
  /** Sends a text to all live subscriptions of a feed, right before an entry of it. */
  sendBefore(feed: Feed, text: string): void
  /** Sends all that waits for the live subscriptions of a feed. */
  flush(feed: Feed): void
  /** Sends a text to one client. */
  toClient(client: Client, text: string): void
  /** The same, after what was published before by these feeds: for replies that follow a delivery. */
  toClientBehindPublished(client: Client, text: string, feeds: readonly Feed[]): void
  /** Closes a connection: the close frame goes behind what waits for it. */
  close(client: Client, name: CloseName, reason?: string): void
  /** Bytes of copies that wait for a later turn of the loop. */
  waitingBytes(): number
  /** True while so much of that waits that publishers have to wait. */
  isFull(): boolean
  /** Calls `goOn` once when that is over. */
  whenRelieved(goOn: () => void): void
}

/** Creates delivery from its parts. */
export function createDelivery(parts: DeliveryParts): Delivery {
  const { metrics, topics, fanOut, live, closing, sampling, keepForSlow } = parts
  return {
    start: (subscription, starts = NO_STARTS, snapshot) => startDelivery(parts, subscription, { starts, snapshot }),
    stop: (subscription) => live.stop(subscription),
    positionOf: (subscription, log) => live.positionOf(subscription, log),
    publish(feeds, given, except) {
      const { text } = given
      let isBehind = false
      for (const feed of feeds) {
        if (feed.subscribers > feed.live) {
          if (feed.sampled > 0) sampling.take(feed, feeds[0]!, given, except)
          if (feed.subscribers > feed.live + feed.sampled) isBehind = true
        }
        if (feed.live === 0) continue
        if (!fanOut.takesAtOnce(feed, text)) {
          fanOut.add(feed, given, firstOf(feeds[0]!.logs()), except)
          // A subscription that goes into catch-up while the message waits continues before it.
          isBehind = true
          continue
        }
        if (except !== undefined && feed.subscriptionOf(except)?.state === 'live') {
          metrics.delivered += feed.live - 1
          metrics.bytesOut += (feed.live - 1) * text.length
          if (feed.live > 1) topics.publishToOthers(except, feed.topic, text)
        } else {
          metrics.delivered += feed.live
          metrics.bytesOut += feed.live * text.length
          topics.publish(feed.topic, text)
        }
      }
      if (isBehind && isEntry(given)) keepForSlow?.(firstOf(feeds[0]!.logs())!, given, feeds)
    },
    sendBefore(feed, text) {
      if (feed.live === 0) return
      if (!fanOut.takesAtOnce(feed, text)) return fanOut.add(feed, { text }, undefined, undefined)
      metrics.delivered += feed.live
      metrics.bytesOut += feed.live * text.length
      topics.publish(feed.topic, text)
    },
    flush: (feed) => fanOut.flush(feed),
    toClient(client, text) {
      if (!client.isClosing) client.transport.send(text)
    },
    toClientBehindPublished(client, text, feeds) {
      if (client.isClosing || fanOut.replyBehind(client, feeds, text)) return
      client.transport.sendBehindPublished(text)
    },
    close: (client, name, reason) => closing.close(client, name, reason),
    waitingBytes: () => fanOut.bytes,
    isFull: () => fanOut.isFull,
    whenRelieved: (goOn) => fanOut.whenRelieved(goOn),
  }
}

const isEntry = (given: Given): given is Entry => given.n !== undefined

function firstOf<T>(all: Iterable<T>): T | undefined {
  for (const one of all) return one
  return undefined
}
