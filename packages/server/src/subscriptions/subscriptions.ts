/**
 * The subscriptions of clients to channels and rooms (docs/protocol.md#rooms-and-channels): what each is delivered for
 * them, and how many there may be.
 */
import { CodedError, type Position } from '@arqonbus/protocol'
import { isRestricted, may } from '../auth/access.ts'
import type { Config } from '../config/index.ts'
import type { Delivery } from '../delivery/deliver.ts'
import type { Clock } from '../kit/clock.ts'
import type { Pieces } from '../kit/fair-queue.ts'
import { Budget } from '../limits/budget.ts'
import type { Log } from '../log/contract.ts'
import type { BusObserver } from '../state/bus-observer.ts'
import type { Channel, Client, Room, Subscription, SubscriptionOptions } from '../state/model.ts'
import {
  allSubscriptions,
  createSubscription,
  implySubscription,
  NO_STARTS,
  type Starts,
} from '../state/subscription.ts'
import { AT_HEAD, type Beginning, ofWholeRoom } from './beginning.ts'
import { impliedOptions, isOneByOne, isToBeExpanded, RoomChannels, type RoomChannelsFound } from './room-channels.ts'

/** What subscribing needs. */
type SubscriptionsDeps = {
  /** How many there may be. */
  readonly limits: Pick<
    Config,
    'maxParticipants' | 'maxRoomParticipants' | 'maxSubscriptions' | 'maxSubscriptionsTotal'
  >
  readonly delivery: Pick<Delivery, 'start' | 'stop'>
  readonly clock: Pick<Clock, 'monotonic'>
  readonly observers: Pick<BusObserver, 'joined' | 'left' | 'subscriptionChanged'>
}

const TOO_MANY_OF_ALL = 'All clients together have too many subscriptions: leave some, or try again later.'

/**
 * The subscriptions of all clients. To subscribe twice, or to unsubscribe without a subscription, changes nothing,
 * except that a subscription that exists is taken to the starts.
 */
export class Subscriptions {
  readonly #deps: SubscriptionsDeps
  /** How many joins there are, by whose they are. */
  readonly #budget: Budget
  /** Those to channels that come with subscriptions to whole rooms. */
  readonly roomChannels: RoomChannels

  constructor(deps: SubscriptionsDeps) {
    this.#deps = deps
    this.#budget = new Budget(deps.limits.maxSubscriptionsTotal)
    this.roomChannels = new RoomChannels(deps.delivery)
  }

  /** How many joins there are, of channels and rooms, of all clients. */
  get count(): number {
    return this.#budget.used
  }

  /** `room_full` and `too_many_subscriptions`, of a room that may not be there yet. */
  checkLimits(client: Client, room: Room | undefined): void {
    const { maxSubscriptions, maxSubscriptionsTotal, maxRoomParticipants } = this.#deps.limits
    if (client.channels.size + client.rooms.size >= maxSubscriptions)
      throw new CodedError('too_many_subscriptions', { limit: maxSubscriptions })
    if (!this.#budget.admits(client.account, 1)) {
      const details = { limit: maxSubscriptionsTotal, setting: 'ARQONBUS_MAX_SUBSCRIPTIONS_TOTAL' }
      const yours = this.#budget.of(client.account).amount
      throw new CodedError('too_many_subscriptions', { ...details, yours }, undefined, TOO_MANY_OF_ALL)
    }
    if (
      room !== undefined &&
      !room.broadcastSubscriptions.has(client) &&
      room.broadcastSubscriptions.size >= maxRoomParticipants
    )
      throw new CodedError('room_full', { room: room.name, limit: maxRoomParticipants })
  }

  /** Subscribes a client to a channel; `channel_full`, `room_full`, `too_many_subscriptions`. */
  subscribe(client: Client, channel: Channel, { starts, options, isSnapshot }: Beginning = AT_HEAD): void {
    const { clock, delivery } = this.#deps
    const { log, feed } = channel
    channel.lastUsed = clock.monotonic()
    const joined = client.channels.get(channel)
    if (joined === undefined) this.#add(client, channel, options)
    else this.#change(joined, options, channel.room, channel)
    delivery.start(channel.room.broadcastSubscriptions.get(client)!, starts)
    const snapshot = isSnapshot && log !== undefined ? { address: feed.address, logs: [log] } : undefined
    delivery.start(this.deliveringSubscription(client, channel)!, starts, snapshot)
  }

  /** Ends the subscription of a client to a channel; false where there was none. */
  unsubscribe(client: Client, channel: Channel): boolean {
    const subscription = client.channels.get(channel)
    if (subscription === undefined) return false
    client.channels.delete(channel)
    channel.participants.delete(client)
    channel.lastUsed = this.#deps.clock.monotonic()
    const isImplied =
      isOneByOne(client, channel) && channel.room.roomSubscriptions.has(client) && may(client.identity, 'read', channel)
    if (isImplied && subscription.state !== 'off') {
      client.implied.set(channel.feed, subscription)
      this.roomChannels.imply(subscription, client.rooms.get(channel.room)?.options)
    } else this.#deps.delivery.stop(subscription)
    this.#exit(client, channel.room, channel)
    return true
  }

  /**
   * Subscribes a client to a whole room, and to those of its channels that the topic of the room does not deliver, of
   * which `ahead` were found before; `room_full`, `too_many_subscriptions`.
   */
  subscribeToRoom(client: Client, room: Room, ahead: RoomChannelsFound, beginning: Beginning = AT_HEAD): void {
    const { delivery } = this.#deps
    const { starts, options, isSnapshot } = beginning
    const joined = client.rooms.get(room)
    const isChanged = joined?.options !== options
    if (joined === undefined) this.#addRoom(client, room, options)
    else this.#change(joined, options, room)
    this.#startBroadcast(client, room, starts)
    const snapshot = isSnapshot ? ofWholeRoom(room) : undefined
    if (!room.expanded.has(client)) {
      const all = joined === undefined ? this.#cover(client, room, starts) : starts
      delivery.start(client.rooms.get(room)!, all, snapshot)
    }
    if (joined === undefined) this.roomChannels.subscribe(client, room, ahead, beginning)
    else if (isChanged || isSnapshot || starts.size > 0) this.roomChannels.recover(client, room, beginning)
  }

  /** Ends the subscription of a client to a whole room; false where there was none. */
  unsubscribeFromRoom(client: Client, room: Room): boolean {
    const subscription = client.rooms.get(room)
    if (subscription === undefined) return false
    client.rooms.delete(room)
    room.roomSubscriptions.delete(client)
    const state = this.#deps.delivery.stop(subscription)
    this.roomChannels.unsubscribe(client, room)
    if (!room.expanded.delete(client)) this.#uncover(client, room, state)
    this.#exit(client, room)
    if (subscription.options !== undefined && !client.isClosing) this.#startBroadcast(client, room)
    return true
  }

  /**
   * The grants of a client that is subscribed to a room have changed: what it is delivered by the topic of the room, and
   * what one by one, follows. From one to the other it goes on where it was.
   */
  *adapt(client: Client, room: Room): Pieces<void> {
    const isExpanded = isToBeExpanded(client, room)
    if (isExpanded !== room.expanded.has(client)) {
      if (isExpanded) this.#expand(client, room)
      else this.#contract(client, room)
    }
    yield* this.roomChannels.adapt(client, room)
  }

  /** Ends all subscriptions of a client. */
  unsubscribeFromAll(client: Client): void {
    // First what it is delivered: then no room has to look for what of it is its own.
    for (const subscription of allSubscriptions(client)) this.#deps.delivery.stop(subscription)
    client.implied.clear()
    for (const channel of client.channels.keys()) this.unsubscribe(client, channel)
    for (const room of client.rooms.keys()) this.unsubscribeFromRoom(client, room)
  }

  /**
   * The subscription by which a client is delivered what goes to a channel that it has joined: its own, or that to the
   * whole room.
   */
  deliveringSubscription(client: Client, channel: Channel): Subscription | undefined {
    const toRoom = isOneByOne(client, channel) ? undefined : client.rooms.get(channel.room)
    return toRoom ?? channel.feed.subscriptionOf(client)
  }

  /** From now on the channels of the room are delivered one by one. */
  #expand(client: Client, room: Room): void {
    const state = this.#deps.delivery.stop(client.rooms.get(room)!)
    room.expanded.add(client)
    for (const channel of room.channels.values())
      if (may(client.identity, 'read', channel)) this.roomChannels.goOn(client, channel, startsAfter(state, channel))
  }

  /** From now on the topic of the room delivers its open channels. */
  #contract(client: Client, room: Room): void {
    const starts = new Map<Log, Position>()
    for (const channel of room.channels.values()) {
      if (isRestricted(channel)) continue
      const state = this.roomChannels.end(client, channel)
      if (typeof state === 'object') for (const [log, position] of state) starts.set(log, position)
    }
    room.expanded.delete(client)
    this.#deps.delivery.start(client.rooms.get(room)!, starts)
  }

  /** The broadcast is delivered by the policy of the subscription to the whole room, where there is one. */
  #startBroadcast(client: Client, room: Room, starts?: Starts): void {
    const broadcast = room.broadcastSubscriptions.get(client)
    if (broadcast === undefined) return
    broadcast.options = impliedOptions(client.rooms.get(room)?.options)
    this.#deps.delivery.start(broadcast, starts)
  }

  /** A join of what is joined may change the options. */
  #change(subscription: Subscription, options: SubscriptionOptions | undefined, room: Room, channel?: Channel): void {
    const before = subscription.options
    if (before === options) return
    subscription.options = options
    this.#deps.observers.subscriptionChanged(subscription.client, room, channel, before)
  }

  #add(client: Client, channel: Channel, options: SubscriptionOptions | undefined): void {
    this.checkLimits(client, channel.room)
    const most = channel.options?.max_participants ?? this.#deps.limits.maxParticipants
    if (channel.participants.size >= most)
      throw new CodedError('channel_full', { channel: channel.address, limit: most })
    // The subscription may have come with that to the room.
    const subscription = client.implied.get(channel.feed) ?? createSubscription(client, channel.feed)
    subscription.options = options
    client.implied.delete(channel.feed)
    client.channels.set(channel, subscription)
    channel.participants.set(client, subscription)
    this.#enter(client, channel.room, channel)
  }

  #addRoom(client: Client, room: Room, options: SubscriptionOptions | undefined): void {
    this.checkLimits(client, room)
    const subscription = createSubscription(client, room.wideFeed, options)
    client.rooms.set(room, subscription)
    room.roomSubscriptions.set(client, subscription)
    if (isToBeExpanded(client, room)) room.expanded.add(client)
    this.#enter(client, room)
  }

  /** Counts a join in; with the first one comes a subscription to the broadcast of the room. */
  #enter(client: Client, room: Room, channel?: Channel): void {
    const { clock, observers } = this.#deps
    const broadcast = room.broadcastSubscriptions.get(client) ?? implySubscription(client, room.broadcastFeed)
    room.broadcastSubscriptions.set(client, broadcast)
    broadcast.joins++
    room.lastUsed = clock.monotonic()
    this.#budget.of(client.account).add(1)
    observers.joined(client, room, channel)
  }

  #exit(client: Client, room: Room, channel?: Channel): void {
    const { clock, observers, delivery } = this.#deps
    const broadcast = room.broadcastSubscriptions.get(client)
    this.#budget.of(client.account).remove(1)
    observers.left(client, room, channel)
    room.lastUsed = clock.monotonic()
    if (broadcast === undefined || --broadcast.joins > 0) return
    room.broadcastSubscriptions.delete(client)
    client.implied.delete(room.broadcastFeed)
    delivery.stop(broadcast)
  }

  /**
   * From now on the topic of the room delivers the open channels that were joined one by one. Returns where that
   * subscription begins: where one of them is catching up, so does it.
   */
  #cover(client: Client, room: Room, starts: Starts): Starts {
    const all = new Map(starts)
    for (const [channel, subscription] of client.channels) {
      if (channel.room !== room || isOneByOne(client, channel)) continue
      const state = this.#deps.delivery.stop(subscription)
      if (typeof state === 'string') continue
      for (const [log, position] of state) if (!starts.has(log)) all.set(log, position)
    }
    return all
  }

  /**
   * The subscription to the room has ended in this state: open channels that were joined one by one go on from there.
   */
  #uncover(client: Client, room: Room, state: Subscription['state']): void {
    for (const [channel, subscription] of client.channels) {
      if (channel.room !== room || isOneByOne(client, channel)) continue
      this.#deps.delivery.start(subscription, startsAfter(state, channel))
    }
  }
}

/** Where a channel goes on by itself, after the subscription to its room ended in this state. */
function startsAfter(state: Subscription['state'], { log }: Channel): Starts {
  if (typeof state === 'string' || log === undefined) return NO_STARTS
  return new Map([[log, state.get(log) ?? log.attachedAt]])
}
