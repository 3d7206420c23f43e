/** Membership: who is in which channel and room, and what each is delivered for it (protocol §4). */
import { CodedError, type Position } from '@arqonbus/protocol'
import { isRestricted, may } from '../auth/access.ts'
import { type Delivery, headsOf } from '../delivery/deliver.ts'
import type { Clock } from '../kit/clock.ts'
import type { Pieces } from '../kit/fair-queue.ts'
import type { Log } from '../log/contract.ts'
import type { BusObserver } from '../state/bus-observer.ts'
import type { Channel, Client, Cursors, Feed, Listening, Room } from '../state/model.ts'

/** How many there may be. */
export type MembershipLimits = {
  readonly maxParticipants: number
  readonly maxRoomParticipants: number
  readonly maxSubscriptions: number
}

/** Membership. Joining what is joined, and leaving what is not, change nothing. */
export type Membership = {
  /** All subscriptions of all clients. */
  readonly subscriptions: number
  /** `room_full` and `too_many_subscriptions`, of a room that may not be there yet. */
  checkLimits(client: Client, room: Room | undefined): void
  /** `channel_full`, `room_full`, `too_many_subscriptions`. */
  joinChannel(client: Client, channel: Channel): void
  leaveChannel(client: Client, channel: Channel): boolean
  /**
   * Joins a whole room. Of its private channels it brings those of `ahead`, found by `findRestricted`, and those that were made since; the client hears
   * some of them already.
   */
  joinRoom(client: Client, room: Room, ahead: Restricted): void
  /** Finds the private channels that a client may enter. Where there are more than a tick can join, it hears the others from now on. */
  findRestricted(client: Client, room: Room): Pieces<Restricted>
  leaveRoom(client: Client, room: Room): boolean
  /** Ahead of leaving a room: its private channels are not heard any more, as far as they were not joined one by one. */
  leaveRestricted(client: Client, room: Room): Pieces<void>
  /** Leaves everything. */
  leaveAll(client: Client): void
  /** Those who listen to the whole room hear a new channel: private ones by the membership. */
  channelCreated(channel: Channel): void
  /** They hear it no more once it is deleted: another of its name may have other members. */
  channelEnded(channel: Channel): void
  /** The feed by which a client is given what goes to a channel that it has joined. */
  feedOf(client: Client, channel: Channel): Feed
  /** The last position that a client was given of a log, by a feed: the head where it is live. */
  standing(client: Client, feed: Feed, log: Log): Position
  /** Lets a client go on after a position of a log, which one of its feeds carries: before or behind where it stands. */
  rewind(client: Client, feed: Feed, log: Log, position: Position): void
}

/** Private channels of a room. */
export type Restricted = {
  readonly channels: readonly Channel[]
  /** The number of the last one that was looked at. */
  readonly upTo: number
}

/** No private channels were looked for yet. */
export const NO_RESTRICTED: Restricted = { channels: [], upTo: 0 }

/** So many private channels are joined in one tick. */
const MOST_AT_ONCE = 1000
/** Work in pieces goes on for so many steps. */
const STEPS = 128

/** Makes it. */
export function createMembership(
  limits: MembershipLimits,
  delivery: Delivery,
  clock: Pick<Clock, 'monotonic'>,
  observers: Pick<BusObserver, 'joined' | 'left'>,
): Membership {
  let subscriptions = 0

  const checkLimits: Membership['checkLimits'] = (client, room) => {
    if (client.channels.size + client.rooms.size >= limits.maxSubscriptions) {
      throw new CodedError('too_many_subscriptions', { limit: limits.maxSubscriptions })
    }
    if (room !== undefined && !room.present.has(client) && room.present.size >= limits.maxRoomParticipants) {
      throw new CodedError('room_full', { room: room.name, limit: limits.maxRoomParticipants })
    }
  }
  /** Counts a join in; with the first one the client hears the broadcast of the room. */
  const enter = (client: Client, room: Room, channel?: Channel) => {
    const joins = room.present.get(client) ?? 0
    room.present.set(client, joins + 1)
    room.lastUsed = clock.monotonic()
    subscriptions++
    observers.joined(client, room, channel)
    if (joins === 0) delivery.subscribe(client, room.broadcastFeed)
  }
  const exit = (client: Client, room: Room, channel?: Channel) => {
    const joins = (room.present.get(client) ?? 0) - 1
    subscriptions--
    observers.left(client, room, channel)
    room.lastUsed = clock.monotonic()
    if (joins > 0) {
      room.present.set(client, joins)
      return
    }
    room.present.delete(client)
    delivery.unsubscribe(client, room.broadcastFeed)
  }
  /** True where the room's own topic brings the channel. */
  const isCovered = (client: Client, channel: Channel) => channel.type !== 'private' && channel.room.wide.has(client)
  const listenTo = (client: Client, channel: Channel) => {
    if (!client.listening.has(channel.feed)) delivery.subscribe(client, channel.feed)
  }
  /** The private channels of a room that a client hears. */
  const heardRestricted = (client: Client, room: Room): Iterable<Channel> =>
    room.restricted.size <= client.listening.size ? room.restricted.after(0) : restrictedAmong(client.listening, room)

  return {
    get subscriptions() {
      return subscriptions
    },
    checkLimits,
    joinChannel(client, channel) {
      channel.lastUsed = clock.monotonic()
      if (client.channels.has(channel)) return
      checkLimits(client, channel.room)
      const most = channel.options?.max_participants ?? limits.maxParticipants
      if (channel.participants.size >= most)
        throw new CodedError('channel_full', { channel: channel.address, limit: most })
      client.channels.add(channel)
      channel.participants.add(client)
      enter(client, channel.room, channel)
      if (!client.listening.has(channel.feed) && !isCovered(client, channel)) delivery.subscribe(client, channel.feed)
    },
    leaveChannel(client, channel) {
      if (!client.channels.delete(channel)) return false
      channel.participants.delete(client)
      channel.lastUsed = clock.monotonic()
      const wide = channel.room.wide.has(client)
      if (!wide || !may(client.identity, 'read', channel)) delivery.unsubscribe(client, channel.feed)
      exit(client, channel.room, channel)
      return true
    },
    joinRoom(client, room, { channels, upTo }) {
      if (client.rooms.has(room)) return
      checkLimits(client, room)
      client.rooms.add(room)
      room.wide.add(client)
      enter(client, room)
      // From now on the room's topic brings the open channels that were joined one by one; where one of them is behind, so is the room.
      let cursors: Cursors | undefined
      for (const channel of client.channels) {
        if (channel.room !== room || channel.type === 'private') continue
        const state = delivery.unsubscribe(client, channel.feed)
        if (state === undefined || state === 'live') continue
        cursors ??= headsOf(room.wideFeed)
        for (const [log, position] of state) cursors.set(log, position)
      }
      delivery.subscribe(client, room.wideFeed, cursors)
      for (const channel of channels) if (channel.ended === undefined) listenTo(client, channel)
      for (const channel of room.restricted.after(upTo))
        if (may(client.identity, 'read', channel)) listenTo(client, channel)
    },
    *findRestricted(client, room) {
      const channels: Channel[] = []
      let upTo = 0
      let steps = 0
      for (const channel of room.restricted.after(0)) {
        upTo = channel.seq
        if (may(client.identity, 'read', channel)) {
          if (channels.length < MOST_AT_ONCE) channels.push(channel)
          else listenTo(client, channel)
        }
        if (++steps % STEPS === 0) yield
      }
      return { channels, upTo }
    },
    *leaveRestricted(client, room) {
      if (!client.rooms.has(room)) return
      let steps = 0
      for (const channel of room.restricted.after(0)) {
        if (!client.channels.has(channel)) delivery.unsubscribe(client, channel.feed)
        if (++steps % STEPS === 0) yield
      }
    },
    leaveRoom(client, room) {
      if (!client.rooms.delete(room)) return false
      room.wide.delete(client)
      const state = delivery.unsubscribe(client, room.wideFeed)
      for (const channel of heardRestricted(client, room)) {
        if (!client.channels.has(channel)) delivery.unsubscribe(client, channel.feed)
      }
      for (const channel of client.channels) {
        if (channel.room !== room || channel.type === 'private') continue
        const { log, feed } = channel
        const isBehind = state instanceof Map && log !== undefined
        delivery.subscribe(client, feed, isBehind ? new Map([[log, state.get(log) ?? log.attachedAt]]) : undefined)
      }
      exit(client, room)
      return true
    },
    leaveAll(client) {
      // First what it hears: then no room has to look for what of it is its own.
      for (const feed of client.listening.keys()) delivery.unsubscribe(client, feed)
      for (const channel of client.channels) this.leaveChannel(client, channel)
      for (const room of client.rooms) this.leaveRoom(client, room)
    },
    channelCreated(channel) {
      if (channel.type !== 'private') return
      for (const client of channel.room.wide)
        if (may(client.identity, 'read', channel)) delivery.subscribe(client, channel.feed)
    },
    channelEnded(channel) {
      if (channel.type !== 'private') return
      for (const client of channel.room.wide) delivery.unsubscribe(client, channel.feed)
    },
    feedOf: (client, channel) => (isCovered(client, channel) ? channel.room.wideFeed : channel.feed),
    standing(client, feed, log) {
      return delivery.positionOf(client, feed, log)
    },
    rewind(client, feed, log, position) {
      if (client.listening.get(feed) === 'live' && position.n === delivery.positionOf(client, feed, log).n) return
      const cursors = delivery.cursorsOf(client, feed)
      cursors.set(log, position)
      delivery.fallBehind(client, feed, cursors)
    },
  }
}

/** The private channels of a room among what a client hears. */
function* restrictedAmong(listening: Listening, room: Room): Iterable<Channel> {
  for (const { address } of listening.keys()) {
    const channel = address.room === room.name ? room.channels.get(address.channel) : undefined
    if (channel !== undefined && isRestricted(channel)) yield channel
  }
}
