/**
 * Traffic: how many frames each client sends and how many messages each channel has, a second, and who is first in it.
 *
 * It is measured every ten seconds, in pieces. Of channels only those are visited that had a message since the last
 * time: a hundred thousand that are idle cost nothing.
 */
import { BUS, WHOLE_ROOM } from '@arqonbus/protocol'
import type { Clock } from '../kit/clock.ts'
import type { FairQueue, Pieces } from '../kit/fair-queue.ts'
import { LargestItems } from '../kit/largest.ts'
import type { Maybe } from '../kit/maybe.ts'
import type { Channel, Client, Feed } from './model.ts'
import type { Rooms } from './rooms.ts'

/** What measuring needs. */
type TrafficDeps = {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly turns: Pick<FairQueue, 'run'>
  readonly clients: { all(): Iterable<Client> }
  readonly rooms: Pick<Rooms, 'channel'>
}

/** So many are in the order of a ranking. */
export const MOST_RANKED = 1000

/** A ranking of send buffers serves for so long. */
const QUEUES_SERVE_MS = 1000

/** Clients or channels that are looked at in one piece. */
const STEPS = 64

/** The traffic of clients and channels. */
export class Traffic {
  readonly #deps: TrafficDeps
  /** Feeds of channels with a message since the last measurement. */
  #heard = new Set<Feed>()
  #rates = new Map<Channel, number>()
  #measuredAt: number
  #isMeasuring = false
  #busiestClients: readonly Client[] = []
  #busiestChannels: readonly Channel[] = []
  #queues: { readonly at: number; readonly clients: Maybe<readonly Client[]> } | undefined

  constructor(deps: TrafficDeps) {
    this.#deps = deps
    this.#measuredAt = deps.clock.monotonic()
  }

  /** Counts a message of a feed. Called for every message. */
  count(feed: Feed): void {
    if (feed.messages++ === 0 && isOfChannel(feed)) this.#heard.add(feed)
  }

  /** A channel has ended: nothing of it is kept, however many came and went since the last measurement. */
  forget(channel: Channel): void {
    this.#heard.delete(channel.feed)
    this.#rates.delete(channel)
  }

  /** Messages of a channel a second, as measured last. */
  rateOf(channel: Channel): number {
    return this.#rates.get(channel) ?? 0
  }

  /** The clients that send most, and the channels with most messages, as measured last. */
  get busiestClients(): readonly Client[] {
    return this.#busiestClients
  }

  get busiestChannels(): readonly Channel[] {
    return this.#busiestChannels
  }

  /** The clients for which most bytes wait, as of a second ago at most. */
  longestQueues(): Maybe<readonly Client[]> {
    const { clock, turns } = this.#deps
    const now = clock.monotonic()
    if (this.#queues === undefined || now - this.#queues.at >= QUEUES_SERVE_MS)
      this.#queues = { at: now, clients: turns.run(() => this.#rankQueues()) }
    return this.#queues.clients
  }

  /** Measures what came since the last time. Called every ten seconds. */
  measure(): void {
    const { clock, turns } = this.#deps
    const now = clock.monotonic()
    const seconds = (now - this.#measuredAt) / 1000
    if (this.#isMeasuring || seconds <= 0) return
    this.#isMeasuring = true
    this.#measuredAt = now
    void turns.run(() => this.#measure(seconds))
  }

  *#measure(seconds: number): Pieces<void> {
    yield* this.#measureClients(seconds)
    yield* this.#measureChannels(seconds)
    this.#isMeasuring = false
  }

  *#measureClients(seconds: number): Pieces<void> {
    const busiest = new LargestItems<Client>(MOST_RANKED)
    let looked = 0
    for (const client of this.#deps.clients.all()) {
      client.framesPerSecond = (client.frames - client.framesMeasured) / seconds
      client.framesMeasured = client.frames
      if (client.framesPerSecond > 0) busiest.add(client, client.framesPerSecond)
      if (++looked % STEPS === 0) yield
    }
    yield
    this.#busiestClients = busiest.take()
  }

  *#measureChannels(seconds: number): Pieces<void> {
    const heard = this.#heard
    this.#heard = new Set()
    const rates = new Map<Channel, number>()
    const busiest = new LargestItems<Channel>(MOST_RANKED)
    let looked = 0
    for (const feed of heard) {
      const rate = feed.messages / seconds
      feed.messages = 0
      const channel = this.#deps.rooms.channel(feed.address.room, feed.address.channel)
      // A channel may have ended since the measurement began.
      if (channel?.feed === feed) {
        rates.set(channel, rate)
        busiest.add(channel, rate)
      }
      if (++looked % STEPS === 0) yield
    }
    yield
    this.#rates = rates
    this.#busiestChannels = busiest.take()
  }

  *#rankQueues(): Pieces<readonly Client[]> {
    const longest = new LargestItems<Client>(MOST_RANKED)
    let looked = 0
    for (const client of this.#deps.clients.all()) {
      const bytes = client.transport.bufferedBytes()
      if (bytes > 0) longest.add(client, bytes)
      if (++looked % STEPS === 0) yield
    }
    yield
    return longest.take()
  }
}

/** Broadcasts of rooms and inboxes are no channels. */
const isOfChannel = ({ address: { room, channel } }: Feed): boolean => channel !== WHOLE_ROOM && room !== BUS
