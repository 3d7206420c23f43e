/**
 * Private channels of rooms that clients have joined as a whole. The topic of a room delivers its open channels; of the
 * private ones, a client that may enter them has a subscription to each, which comes and goes with the channel and with
 * its subscription to the room.
 */
import { isRestricted, may } from '../auth/access.ts'
import type { Delivery } from '../delivery/deliver.ts'
import type { Pieces } from '../kit/fair-queue.ts'
import type { Channel, Client, Room } from '../state/model.ts'
import { allSubscriptions, implySubscription, NO_STARTS, type Starts } from '../state/subscription.ts'

/** Private channels of a room that a client may enter. */
export type Restricted = {
  readonly channels: readonly Channel[]
  /** The number of the last one that was looked at. */
  readonly upTo: number
}

/** No private channels were looked for yet. */
export const NO_RESTRICTED: Restricted = { channels: [], upTo: 0 }

/** Private channels that one tick subscribes to. */
const MOST_AT_ONCE = 1000
/** Steps of one piece of work. */
const STEPS = 128

/** The subscriptions to private channels that come with those to whole rooms. */
export class PrivateChannels {
  readonly #delivery: Pick<Delivery, 'start' | 'stop'>

  constructor(delivery: Pick<Delivery, 'start' | 'stop'>) {
    this.#delivery = delivery
  }

  /**
   * Finds the private channels that a client may enter. Where there are more than a tick can subscribe to, it is
   * subscribed to the others from now on.
   */
  *find(client: Client, room: Room): Pieces<Restricted> {
    const channels: Channel[] = []
    let upTo = 0
    let steps = 0
    for (const channel of room.restricted.after(0)) {
      upTo = channel.seq
      if (may(client.identity, 'read', channel)) {
        if (channels.length < MOST_AT_ONCE) channels.push(channel)
        // A client that has disconnected in between has left everything, and would stay counted as a subscriber.
        else if (!client.isClosing) this.#subscribe(client, channel, NO_STARTS)
      }
      if (++steps % STEPS === 0) yield
    }
    return { channels, upTo }
  }

  /**
   * A client has subscribed to a room: subscribes it to those of `ahead`, found by `find`, and to those that were
   * created since.
   */
  subscribe(client: Client, room: Room, { channels, upTo }: Restricted, starts: Starts): void {
    for (const channel of channels) if (channel.ended === undefined) this.#subscribe(client, channel, starts)
    for (const channel of room.restricted.after(upTo))
      if (may(client.identity, 'read', channel)) this.#subscribe(client, channel, starts)
  }

  /** A client that is subscribed to a room goes on from these positions in its private channels. */
  recover(client: Client, room: Room, starts: Starts): void {
    if (starts.size === 0) return
    for (const channel of subscribedOf(client, room)) this.#subscribe(client, channel, starts)
  }

  /** A client has unsubscribed from a room: of its private channels it keeps those that it has joined one by one. */
  unsubscribe(client: Client, room: Room): void {
    for (const channel of subscribedOf(client, room)) this.#unsubscribe(client, channel)
  }

  /** Unsubscribes a client from the private channels of a room, in pieces, ahead of `unsubscribe`. */
  *unsubscribeAhead(client: Client, room: Room): Pieces<void> {
    if (!client.rooms.has(room)) return
    let steps = 0
    for (const channel of room.restricted.after(0)) {
      this.#unsubscribe(client, channel)
      if (++steps % STEPS === 0) yield
    }
  }

  /** A channel is there: subscribers to its room are subscribed to it, where it is private and they may enter it. */
  created(channel: Channel): void {
    if (!isRestricted(channel)) return
    for (const client of channel.room.roomSubscriptions.keys())
      if (may(client.identity, 'read', channel)) this.#subscribe(client, channel, NO_STARTS)
  }

  /** A channel has ended, and with it those subscriptions: another of its name may have other members. */
  ended(channel: Channel): void {
    if (!isRestricted(channel)) return
    for (const client of channel.room.roomSubscriptions.keys()) this.#unsubscribe(client, channel)
  }

  #subscribe(client: Client, { feed }: Channel, starts: Starts): void {
    this.#delivery.start(feed.subscriptionOf(client) ?? implySubscription(client, feed), starts)
  }

  #unsubscribe(client: Client, { feed }: Channel): void {
    const subscription = client.implied.get(feed)
    if (subscription === undefined) return
    this.#delivery.stop(subscription)
    client.implied.delete(feed)
  }
}

/** The private channels of a room that a client is subscribed to: found among whichever are fewer. */
function subscribedOf(client: Client, room: Room): Iterable<Channel> {
  const subscriptions = client.implied.size + client.channels.size
  return room.restricted.size > subscriptions
    ? restrictedAmong(client, room)
    : Iterator.from(room.restricted.after(0)).filter(({ feed }) => feed.subscriptionOf(client) !== undefined)
}

function* restrictedAmong(client: Client, room: Room): Iterable<Channel> {
  for (const { feed } of allSubscriptions(client)) {
    const { address } = feed
    const channel = address.room === room.name ? room.channels.get(address.channel) : undefined
    if (channel !== undefined && isRestricted(channel)) yield channel
  }
}
