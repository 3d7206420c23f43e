/** Feeds of channels, rooms and inboxes. */
import type { Log } from '../log/contract.ts'
import type { Client, Feed, Subscription } from './model.ts'

/** What a kind of feed finds by its target. */
export type FeedSource<Target> = {
  logs(target: Target): Iterable<Log>
  /** The subscriptions to the target; those that are not among them are implied ones. */
  subscriptions?(target: Target): ReadonlyMap<Client, Subscription>
}

/** A feed without subscriptions. A class, because each channel has one: methods are shared. */
export class TargetFeed<Target> implements Feed {
  subscribers = 0
  live = 0
  sampled = 0
  turn = -1
  messages = 0
  /** Set when the target is created, which knows its feed. */
  target!: Target

  constructor(
    readonly topic: string,
    readonly address: Feed['address'],
    readonly source: FeedSource<Target>,
  ) {}

  logs(): Iterable<Log> {
    return this.source.logs(this.target)
  }

  subscriptionOf(client: Client): Subscription | undefined {
    return this.source.subscriptions?.(this.target).get(client) ?? client.implied.get(this)
  }
}
