/**
 * Fan-out: what is published goes to all subscribers of a feed, at once where the turn of the loop has room for it,
 * else in the next turns, in order.
 *
 * A write to a socket takes some microseconds, so a message to 20,000 subscribers would delay all other clients for a
 * tenth of a second. A feed of up to 2,000 has one topic and nothing of its own here, until more is published in one
 * turn than fits. What waits is counted as copies; where that is too much, publishers wait too.
 *
 *     feed ── the feed's topic ── up to 2,000 sockets                    while everything goes out at once
 *
 *     feed ── fan, with one list of items that wait                      else
 *              ├── shard, at its item of the list ── the feed's topic ── up to 2,000 sockets, or 500 beside other shards
 *              ├── shard, at its item of the list ── topic `1 <feed>` ── up to 500 sockets
 *              └── …
 *
 * The fan ends when nothing waits and all its subscriptions are in the feed's topic again.
 */
import { onceATurn } from '../kit/once-a-turn.ts'
import type { Log } from '../log/contract.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Client, Feed, Subscription } from '../state/model.ts'
import type { PublishToTopic } from '../state/transport.ts'
import { Fan, type Item, type MessageItem, ONE_TOPIC, type Shard } from './fan.ts'
import { Allowance, MOST_UNITS, unitsOf } from './turn-budget.ts'

/** What is given out: an entry of a log, or a text that no log has. */
export type Given = { readonly text: string; readonly ms?: number; readonly n?: number }

/** The topics of connections and of event streams; false where some socket could not take a text at once. */
export type Topics = {
  readonly publish: PublishToTopic
  /** Publishes to all but one client. */
  publishToOthers(except: Client, topic: string, text: string): boolean
}

/** What the fan-out needs. */
export type FanOutDeps = Topics & {
  readonly metrics: Pick<Metrics, 'delivered' | 'bytesOut'>
  /** All connected clients. */
  readonly clients: () => Iterable<Client>
  /** Bytes of copies that may wait before publishers have to. */
  readonly maxBytes: number
  /** A shard whose sockets do not keep up is given no more than this in one turn: then they are looked at. */
  readonly lateBytes: number
  /** Does something in the next turn of the loop. */
  readonly nextTurn?: ((work: () => void) => void) | undefined
}

/** A topic with no more subscribers than this is not split, however long a message is. */
const LEAST_SHARD = 16
/** An item takes some memory beside its text. */
const ITEM_BYTES = 64
/**
 * Publishers on other nodes do not wait for this one: if this many times the bound waits, a shard catches up from the
 * logs.
 */
const OVERRUN = 4

/** Fan-out. */
export class FanOut {
  readonly #deps: FanOutDeps
  #onOverrun: ((subscriptions: readonly Subscription[]) => void) | undefined
  readonly #fans = new Map<Feed, Fan>()
  /** Shards for which something waits: each in its turn. */
  readonly #ready = new Set<Shard>()
  readonly #atOnce = new Allowance()
  readonly #later = new Allowance()
  #turn = 0
  readonly #askTurn: () => void
  #bytes = 0
  #isFull = false
  /** Publishers that wait until less waits. */
  readonly #waiting: (() => void)[] = []

  constructor(deps: FanOutDeps) {
    this.#deps = deps
    this.#askTurn = onceATurn(() => this.#beginTurn(), deps.nextTurn)
  }

  /**
   * Calls `overrun` with subscriptions for which so much waits that they have to catch up from the logs. It needs the
   * fan-out itself, and is named once, before anything is published.
   */
  onOverrun(overrun: (subscriptions: readonly Subscription[]) => void): void {
    this.#onOverrun = overrun
  }

  /** Bytes of copies that wait. */
  get bytes(): number {
    return this.#bytes
  }

  /** True while so much waits that publishers have to wait. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** Calls `goOn` once when publishers need not wait any more. */
  whenRelieved(goOn: () => void): void {
    this.#waiting.push(goOn)
  }

  /** True where a text goes out now, by the feed's own topic: that is counted then. */
  takesAtOnce(feed: Feed, text: string): boolean {
    if (this.#fans.size > 0 && this.#fans.has(feed)) return false
    const { live } = feed
    const units = live * unitsOf(text)
    if (units > 2 * MOST_UNITS && live > LEAST_SHARD) return false
    const writes = feed.turn === this.#turn ? 0 : live
    const atOnce = this.#atOnce
    if (!atOnce.admits(writes, units)) return false
    feed.turn = this.#turn
    if (atOnce.spend(writes, units)) this.#askTurn()
    return true
  }

  /** Gives what does not go out by the one topic: to the shards for which there is room now, to the rest later. */
  add(feed: Feed, { text, ms = 0, n = 0 }: Given, log: Log | undefined, except: Client | undefined): void {
    const fan = this.#fanOf(feed, feed.live)
    const copies = feed.live
    this.#bytes += copies * (text.length + ITEM_BYTES)
    fan.push({ kind: 'message', text, except, log: n === 0 ? undefined : log, ms, n, copies })
    // A shard that is split adds others at the end.
    for (const shard of fan.shards) {
      if (this.#ready.has(shard)) continue
      this.#advance(shard, this.#atOnce)
      if (shard.next < fan.end) this.#ready.add(shard)
    }
    this.#tidy(fan)
    if (this.#ready.size > 0) this.#askTurn()
    if (this.#bytes > this.#deps.maxBytes) this.#isFull = true
  }

  /** Gives everything that waits for a feed at once: what comes next cannot wait. */
  flush(feed: Feed): void {
    const fan = this.#fans.get(feed)
    if (fan === undefined) return
    for (const shard of fan.shards) {
      while (shard.next < fan.end) this.#give(shard)
      this.#ready.delete(shard)
    }
    this.#tidy(fan)
  }

  /** A subscription becomes live; the feed does not count it as such yet. */
  enter(subscription: Subscription): void {
    const { client, feed } = subscription
    if (feed.live < ONE_TOPIC && !this.#fans.has(feed)) return client.transport.subscribe(feed.topic)
    this.#fanOf(feed, feed.live).enter(subscription)
  }

  /** A subscription is live no more; what waits for it is not given to it, but for its own replies. */
  leave(subscription: Subscription): void {
    const { client, feed } = subscription
    const fan = this.#fans.get(feed)
    if (fan === undefined) return client.transport.unsubscribe(feed.topic)
    for (const item of fan.pending(subscription)) if (item.kind === 'reply') sendReply(item)
    const shard = fan.leave(subscription)
    if (shard === undefined) return
    this.#ready.delete(shard)
    this.#tidy(fan)
  }

  /** What waits for a live subscription, oldest first. */
  pending(subscription: Subscription): Iterable<Item> {
    return (this.#ready.size === 0 ? undefined : this.#fans.get(subscription.feed)?.pending(subscription)) ?? []
  }

  /** Sends a reply behind what waits for its client in one of the feeds; false where nothing does. */
  replyBehind(client: Client, feeds: readonly Feed[], text: string): boolean {
    if (this.#ready.size === 0) return false
    for (const feed of feeds) {
      const fan = this.#fans.get(feed)
      const subscription = feed.subscriptionOf(client)
      if (fan === undefined || subscription?.state !== 'live') continue
      const shard = fan.shardOf(subscription)
      if (shard.next === fan.end) continue
      fan.pushFor(shard, { kind: 'reply', subscription, text, isSent: false })
      return true
    }
    return false
  }

  #fanOf(feed: Feed, size: number): Fan {
    return this.#fans.getOrInsertComputed(feed, () => new Fan(feed, size, this.#deps.clients))
  }

  #beginTurn(): void {
    this.#turn++
    this.#atOnce.reset()
    this.#later.reset()
    this.#goRound()
    if (this.#bytes > OVERRUN * this.#deps.maxBytes) this.#overrun()
    if (this.#ready.size > 0) this.#askTurn()
    if (!this.#isFull || this.#bytes > this.#deps.maxBytes / 2) return
    this.#isFull = false
    for (const goOn of this.#waiting.splice(0)) goOn()
  }

  /** Serves each shard once, until the turn has no more room. */
  #goRound(): void {
    if (this.#ready.size === 0) return
    for (const shard of [...this.#ready]) {
      if (!this.#ready.has(shard)) continue
      const { fan, next } = shard
      this.#advance(shard, this.#later)
      // It stays the first: its turn is the next one.
      if (shard.next === next) return
      this.#ready.delete(shard)
      if (shard.next < fan.end) this.#ready.add(shard)
      this.#tidy(fan)
    }
  }

  /** Gives a shard what waits for it, as much as the turn has room for. */
  #advance(shard: Shard, allowance: Allowance): void {
    const { fan } = shard
    let late = 0
    while (shard.next < fan.end && late <= this.#deps.lateBytes) {
      const item = fan.at(shard.next)
      if (item.kind === 'message' && shard.begun > 0) {
        const units = shard.begun * unitsOf(item.text)
        if (units > MOST_UNITS && shard.begun > LEAST_SHARD) {
          this.#split(shard, item)
          continue
        }
        const writes = shard.turn === this.#turn ? 0 : shard.begun
        if (!allowance.admits(writes, units)) return
        shard.turn = this.#turn
        if (allowance.spend(writes, units)) this.#askTurn()
      }
      if (!this.#give(shard) && item.kind === 'message') late += item.text.length
    }
  }

  /** A long message takes smaller shards. */
  #split(shard: Shard, { text }: MessageItem): void {
    const { fan } = shard
    const before = fan.shards.length
    fan.split(shard, Math.max(LEAST_SHARD, Math.floor(MOST_UNITS / unitsOf(text))))
    if (this.#ready.has(shard)) for (const one of fan.shards.slice(before)) this.#ready.add(one)
  }

  /** Gives a shard its next item; false where some socket could not take it at once. */
  #give(shard: Shard): boolean {
    const { fan } = shard
    const item = fan.at(shard.next)
    if (item.kind === 'begin') fan.begin(item.subscription, shard)
    shard.next++
    if (item.kind === 'reply' && fan.shardOf(item.subscription) === shard) sendReply(item)
    return item.kind !== 'message' || this.#giveMessage(shard, item)
  }

  #giveMessage(shard: Shard, item: MessageItem): boolean {
    const { fan, topic } = shard
    const { text, except } = item
    const copies = Math.min(item.copies, shard.size)
    item.copies -= copies
    this.#bytes -= copies * (text.length + ITEM_BYTES)
    const own = except && fan.feed.subscriptionOf(except)
    const isExcepted = own?.state === 'live' && fan.shardOf(own) === shard && fan.hasBegun(own)
    const count = shard.begun - (isExcepted ? 1 : 0)
    if (count === 0) return true
    const { metrics, publish, publishToOthers } = this.#deps
    metrics.delivered += count
    metrics.bytesOut += count * text.length
    return isExcepted ? publishToOthers(own.client, topic, text) : publish(topic, text)
  }

  /** Forgets what all shards have been given, and a fan that is an ordinary topic again. */
  #tidy(fan: Fan): void {
    for (const item of fan.trim())
      if (item.kind === 'message') this.#bytes -= item.copies * (item.text.length + ITEM_BYTES)
    if (fan.isPlain) this.#fans.delete(fan.feed)
  }

  /** The shard that has waited longest is sent to the logs. */
  #overrun(): void {
    const [shard] = this.#ready
    if (shard !== undefined) this.#onOverrun?.(shard.fan.membersOf(shard))
  }
}

function sendReply(item: Extract<Item, { kind: 'reply' }>): void {
  if (item.isSent) return
  item.isSent = true
  const { client } = item.subscription
  if (!client.isClosing) client.transport.sendBehindPublished(item.text)
}
