/**
 * One feed that does not go out in one turn of the loop: its subscribers in shards, each a topic of the runtime, and
 * what is still to be given to them.
 *
 * There is one list of items for all shards; each shard has its place in it. A subscription that begins while something
 * waits for its shard begins at the end of the list: an item of its own subscribes it when the shard gets there. So
 * every subscription gets every message once and in order.
 */
import type { Log } from '../log/contract.ts'
import type { Client, Feed, Subscription } from '../state/model.ts'

/** A feed with more subscribers than this has several shards. */
export const ONE_TOPIC = 2000
/** The size of one of several shards. */
const SHARD_SIZE = 500

/** What waits for a shard. */
export type Item =
  | {
      readonly kind: 'message'
      readonly text: string
      /** Gets no copy. */
      readonly except: Client | undefined
      /** Its log; undefined for what is in no log. */
      readonly log: Log | undefined
      readonly ms: number
      readonly n: number
      /** How many of its copies wait. */
      copies: number
    }
  /** For one subscriber, behind what came before. */
  | { readonly kind: 'reply'; readonly subscription: Subscription; readonly text: string; isSent: boolean }
  /** From here on a subscription is live in its shard. */
  | { readonly kind: 'begin'; readonly subscription: Subscription }

/** A message that waits. */
export type MessageItem = Extract<Item, { kind: 'message' }>

/** Subscribers that are served together. */
export type Shard = {
  readonly fan: Fan
  readonly topic: string
  /** How many subscribers it has. */
  size: number
  /** How many of them have subscribed to the topic: the rest begins with an item that waits. */
  begun: number
  /** The number of the item that it is given next. */
  next: number
  /** The turn in which it was written to last. */
  turn: number
}

/** The shards of one feed, and what waits for them. */
export class Fan {
  readonly shards: Shard[] = []
  /** The topic of the feed itself: it has the subscriptions that are in none of the shards below. */
  readonly #own: Shard
  readonly #shardOf = new Map<Subscription, Shard>()
  /** Of subscribers that have not begun yet, the number of the item that begins them. */
  readonly #startOf = new Map<Subscription, number>()
  /** Shards with room. */
  readonly #roomy = new Set<Shard>()
  readonly #clients: () => Iterable<Client>
  #items: Item[] = []
  #first = 0
  #topics = 0

  /** Creates the fan of a feed with `size` live subscriptions, all of which are in its own topic. */
  constructor(
    readonly feed: Feed,
    size: number,
    clients: () => Iterable<Client>,
  ) {
    this.#clients = clients
    this.#own = this.#addShard(feed.topic, 0)
    this.#own.size = size
    this.#own.begun = size
    if (size < ONE_TOPIC) this.#roomy.add(this.#own)
  }

  /** The number that the next item gets. */
  get end(): number {
    return this.#first + this.#items.length
  }

  /** True where it is an ordinary topic again. */
  get isPlain(): boolean {
    const [shard] = this.shards
    return shard === undefined || (this.shards.length === 1 && shard === this.#own && shard.next === this.end)
  }

  at(number: number): Item {
    return this.#items[number - this.#first]!
  }

  /** Adds what is for all shards. */
  push(item: MessageItem): void {
    this.#items.push(item)
  }

  /** Adds what is for one shard for which something waits: those for which nothing does have nothing to do with it. */
  pushFor(shard: Shard, item: Item): void {
    for (const other of this.shards) if (other !== shard && other.next === this.end) other.next++
    this.#items.push(item)
  }

  /** Takes out what all shards have been given, and returns it. */
  trim(): Item[] {
    let next = this.end
    for (const shard of this.shards) next = Math.min(next, shard.next)
    const given = this.#items.splice(0, next - this.#first)
    this.#first = next
    return given
  }

  /** The shard of a subscriber. */
  shardOf(subscription: Subscription): Shard {
    return this.#shardOf.get(subscription) ?? this.#own
  }

  /** False for a subscriber whose shard has not come to the item that begins it. */
  hasBegun(subscription: Subscription): boolean {
    return !this.#startOf.has(subscription)
  }

  /** What waits for a subscriber, oldest first. */
  *pending(subscription: Subscription): Iterable<Item> {
    const from = Math.max(this.shardOf(subscription).next, this.#startOf.get(subscription) ?? 0)
    for (let number = from; number < this.end; number++) {
      const item = this.at(number)
      if (item.kind === 'message') {
        if (item.except !== subscription.client) yield item
      } else if (item.kind === 'reply' && item.subscription === subscription) yield item
    }
  }

  /** Adds a subscription: it gets what is published from now on. */
  enter(subscription: Subscription): Shard {
    const shard = this.#roomyShard()
    shard.size++
    if (shard !== this.#own) this.#shardOf.set(subscription, shard)
    if (shard.size >= this.#roomOf()) this.#roomy.delete(shard)
    if (shard.next === this.end) this.#begin(subscription, shard)
    else {
      this.#startOf.set(subscription, this.end)
      this.pushFor(shard, { kind: 'begin', subscription })
    }
    return shard
  }

  /** A shard has come to the item that begins a subscriber, which may have left meanwhile. */
  begin(subscription: Subscription, shard: Shard): void {
    if (this.shardOf(subscription) !== shard || this.#startOf.get(subscription) !== shard.next) return
    this.#startOf.delete(subscription)
    this.#begin(subscription, shard)
  }

  /** Removes a subscription. Returns its shard if that is empty now. */
  leave(subscription: Subscription): Shard | undefined {
    const shard = this.shardOf(subscription)
    this.#take(subscription, shard)
    if (shard.size > 0) {
      if (shard.size <= this.#roomOf() / 2) this.#roomy.add(shard)
      return undefined
    }
    this.#roomy.delete(shard)
    this.shards.splice(this.shards.indexOf(shard), 1)
    return shard
  }

  /** Who is in a shard: looked for, since it is hardly ever asked. */
  membersOf(shard: Shard): Subscription[] {
    const members: Subscription[] = []
    if (shard !== this.#own) {
      for (const [subscription, one] of this.#shardOf) if (one === shard) members.push(subscription)
      return members
    }
    for (const client of this.#clients()) {
      const subscription = this.feed.subscriptionOf(client)
      if (subscription?.state === 'live' && !this.#shardOf.has(subscription)) members.push(subscription)
    }
    return members
  }

  /** Leaves `size` members in a shard; the rest gets shards of that size, which are where it is in the list. */
  split(shard: Shard, size: number): void {
    let to = shard
    for (const subscription of this.membersOf(shard).slice(size)) {
      if (to === shard || to.size >= size) to = this.#newShard(shard.next)
      const start = this.#startOf.get(subscription)
      this.#take(subscription, shard)
      this.#shardOf.set(subscription, to)
      to.size++
      if (start === undefined) this.#begin(subscription, to)
      else this.#startOf.set(subscription, start)
    }
    this.#roomy.delete(shard)
    if (to.size < SHARD_SIZE) this.#roomy.add(to)
  }

  /** A feed's own topic alone takes as many as a topic may have, one of several shards less. */
  #roomOf(): number {
    return this.shards.length === 1 ? ONE_TOPIC : SHARD_SIZE
  }

  #roomyShard(): Shard {
    if (this.#roomy.size === 0 && this.shards.length === 1 && this.#own.size >= ONE_TOPIC)
      this.split(this.#own, SHARD_SIZE)
    for (const shard of this.#roomy) return shard
    const shard = this.#newShard(this.end)
    this.#roomy.add(shard)
    return shard
  }

  #newShard(next: number): Shard {
    return this.#addShard(`${++this.#topics} ${this.feed.topic}`, next)
  }

  #addShard(topic: string, next: number): Shard {
    const shard: Shard = { fan: this, topic, size: 0, begun: 0, next, turn: -1 }
    this.shards.push(shard)
    return shard
  }

  #take(subscription: Subscription, shard: Shard): void {
    this.#shardOf.delete(subscription)
    shard.size--
    if (this.#startOf.delete(subscription)) return
    shard.begun--
    subscription.client.transport.unsubscribe(shard.topic)
  }

  #begin({ client }: Subscription, shard: Shard): void {
    shard.begun++
    client.transport.subscribe(shard.topic)
  }
}
