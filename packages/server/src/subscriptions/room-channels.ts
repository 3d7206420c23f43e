/**
 * Channels of rooms that clients have joined as a whole, as far as the topic of the room does not deliver them.
 *
 * The topic of a room delivers its open channels to clients whose grants cover the whole room. They have a subscription
 * to each private channel that they may enter. All other clients are *expanded*: they have a subscription to each
 * channel that they may read. These subscriptions come and go with the channel, and with that to the room; a message
 * costs the same for either kind.
 */
import { coverage, isRestricted, may, readAction } from '../auth/access.ts'
import type { Delivery } from '../delivery/deliver.ts'
import type { Pieces } from '../kit/fair-queue.ts'
import type { Channel, Client, Room, Subscription, SubscriptionOptions } from '../state/model.ts'
import { allSubscriptions, implySubscription, type Starts } from '../state/subscription.ts'
import { AT_HEAD, type Beginning } from './beginning.ts'

/** Channels of a room that a client is subscribed to one by one. */
export type RoomChannelsFound = {
  readonly channels: readonly Channel[]
  /** The number of the last one that was looked at. */
  readonly upTo: number
  /** Whether the client was to be expanded when they were looked for. */
  readonly isExpanded: boolean
}

/** No channels were looked for yet. */
export const NOTHING_FOUND: RoomChannelsFound = { channels: [], upTo: 0, isExpanded: false }

/** Channels that one tick subscribes to. */
const MOST_AT_ONCE = 1000
/** Steps of one piece of work. */
const STEPS = 128

/** True where the grants of a client do not cover the whole room. */
export const isToBeExpanded = ({ identity }: Client, { name }: Room): boolean =>
  coverage(identity, readAction(name), name) !== 'all'

/** True for a channel that a client with a subscription to its room is subscribed to by itself. */
export const isOneByOne = (client: Client, channel: Channel): boolean =>
  isRestricted(channel) || channel.room.expanded.has(client)

/** The subscriptions to channels that come with those to whole rooms. */
export class RoomChannels {
  readonly #delivery: Pick<Delivery, 'start' | 'stop'>

  constructor(delivery: Pick<Delivery, 'start' | 'stop'>) {
    this.#delivery = delivery
  }

  /**
   * Finds the channels that a client has to be subscribed to one by one. Where there are more than a tick can subscribe
   * to, it is subscribed to the others from now on.
   */
  *find(client: Client, room: Room): Pieces<RoomChannelsFound> {
    const channels: Channel[] = []
    const isExpanded = isToBeExpanded(client, room)
    let upTo = 0
    let steps = 0
    for (const channel of listOf(room, isExpanded).after(0)) {
      upTo = channel.seq
      if (may(client.identity, 'read', channel)) {
        if (channels.length < MOST_AT_ONCE) channels.push(channel)
        // A client that has disconnected in between has left everything, and would stay counted as a subscriber.
        else if (!client.isClosing) this.#subscribe(client, channel, AT_HEAD)
      }
      if (++steps % STEPS === 0) yield
    }
    return { channels, upTo, isExpanded }
  }

  /**
   * A client has subscribed to a room: subscribes it to those of `ahead`, found by `find`, and to those that were
   * created since.
   */
  subscribe(client: Client, room: Room, { channels, upTo, isExpanded }: RoomChannelsFound, beginning: Beginning): void {
    const { identity } = client
    for (const channel of channels)
      if (channel.ended === undefined && may(identity, 'read', channel)) this.#subscribe(client, channel, beginning)
    // Its grants may have changed since: then nothing that was found counts.
    const isStale = isExpanded !== room.expanded.has(client)
    for (const channel of listOf(room, room.expanded.has(client)).after(isStale ? 0 : upTo))
      if (may(identity, 'read', channel)) this.#subscribe(client, channel, beginning)
  }

  /** A client that is subscribed to a room goes on from these positions in its channels, or by this policy. */
  recover(client: Client, room: Room, beginning: Beginning): void {
    for (const channel of subscribedOf(client, room)) this.#subscribe(client, channel, beginning)
  }

  /** A subscription comes with that to the room now, and is delivered by the policy of that. */
  imply(subscription: Subscription, ofRoom: SubscriptionOptions | undefined): void {
    subscription.options = impliedOptions(ofRoom)
    this.#delivery.start(subscription)
  }

  /** A client has unsubscribed from a room: of its channels it keeps those that it has joined one by one. */
  unsubscribe(client: Client, room: Room): void {
    for (const channel of subscribedOf(client, room)) this.#unsubscribe(client, channel)
  }

  /** Unsubscribes a client from the channels of a room, in pieces, ahead of `unsubscribe`. */
  *unsubscribeAhead(client: Client, room: Room): Pieces<void> {
    if (!client.rooms.has(room)) return
    let steps = 0
    for (const channel of listOf(room, room.expanded.has(client)).after(0)) {
      this.#unsubscribe(client, channel)
      if (++steps % STEPS === 0) yield
    }
  }

  /** A channel is there: subscribers to its room are subscribed to it, where its topic is not that of the room. */
  created(channel: Channel): void {
    for (const client of oneByOne(channel))
      if (may(client.identity, 'read', channel)) this.#subscribe(client, channel, AT_HEAD)
  }

  /** A channel has ended, and with it those subscriptions: another of its name may have other members. */
  ended(channel: Channel): void {
    for (const client of oneByOne(channel)) this.#unsubscribe(client, channel)
  }

  /** What a client may read of a channel has changed: its subscription follows, where its room has joined it. */
  changed(client: Client, channel: Channel): void {
    if (!channel.room.roomSubscriptions.has(client) || !isOneByOne(client, channel)) return
    if (may(client.identity, 'read', channel)) this.#subscribe(client, channel, AT_HEAD)
    else this.#unsubscribe(client, channel)
  }

  /** The grants of a client that is subscribed to a room have changed: it has the subscriptions that it may have. */
  *adapt(client: Client, room: Room): Pieces<void> {
    let steps = 0
    for (const channel of listOf(room, room.expanded.has(client)).after(0)) {
      if (client.isClosing) return
      this.changed(client, channel)
      if (++steps % STEPS === 0) yield
    }
  }

  /** A channel that the topic of its room delivered to a client goes on by itself. */
  goOn(client: Client, channel: Channel, starts: Starts): void {
    this.#subscribe(client, channel, { ...AT_HEAD, starts })
  }

  /**
   * The topic of its room is to deliver a channel to a client: the delivery of the channel by itself ends. Returns its
   * last state.
   */
  end(client: Client, { feed }: Channel): Subscription['state'] {
    const subscription = feed.subscriptionOf(client)
    client.implied.delete(feed)
    return subscription === undefined ? 'off' : this.#delivery.stop(subscription)
  }

  #subscribe(client: Client, { feed, log, room }: Channel, { starts, isSnapshot }: Beginning): void {
    const subscription = feed.subscriptionOf(client) ?? implySubscription(client, feed)
    if (client.implied.has(feed)) subscription.options = impliedOptions(client.rooms.get(room)?.options)
    const snapshot = isSnapshot && log !== undefined ? { address: feed.address, logs: [log] } : undefined
    this.#delivery.start(subscription, starts, snapshot)
  }

  #unsubscribe(client: Client, { feed }: Channel): void {
    const subscription = client.implied.get(feed)
    if (subscription === undefined) return
    this.#delivery.stop(subscription)
    client.implied.delete(feed)
  }
}

/** The options of a subscription that comes with one to the whole room: its policy. */
export const impliedOptions = (ofRoom: SubscriptionOptions | undefined): SubscriptionOptions | undefined =>
  ofRoom?.delivery === undefined ? undefined : { delivery: ofRoom.delivery }

const listOf = (room: Room, isExpanded: boolean) => (isExpanded ? room.channelsInOrder : room.restricted)

/** The subscribers to the room of a channel that are subscribed to it by itself. */
const oneByOne = (channel: Channel): Iterable<Client> =>
  isRestricted(channel) ? channel.room.roomSubscriptions.keys() : channel.room.expanded

/** The channels of a room that a client is subscribed to by themselves: found among whichever are fewer. */
function subscribedOf(client: Client, room: Room): Iterable<Channel> {
  const subscriptions = client.implied.size + client.channels.size
  const channels = listOf(room, room.expanded.has(client))
  return channels.size > subscriptions
    ? channelsAmong(client, room)
    : Iterator.from(channels.after(0)).filter(({ feed }) => feed.subscriptionOf(client) !== undefined)
}

function* channelsAmong(client: Client, room: Room): Iterable<Channel> {
  for (const { feed } of allSubscriptions(client)) {
    const { address } = feed
    const channel = address.room === room.name ? room.channels.get(address.channel) : undefined
    if (channel !== undefined && channel.feed === feed && isOneByOne(client, channel)) yield channel
  }
}
