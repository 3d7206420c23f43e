/**
 * The room resolver: from an address to the room and the channel, created on demand where that is allowed
 * (docs/protocol.md#rooms-and-channels).
 */
import { CodedError, PM_CHANNEL, WHOLE_ROOM } from '@arqonbus/protocol'
import { authorize, type CreationPolicy, hiddenChannel, may, type NewTarget } from '../auth/access.ts'
import { creatorOf, type Identity } from '../auth/identity.ts'

import type { Account } from '../limits/accounts.ts'

import { awayError } from '../log/refusals.ts'
import type { Channel, ChannelType, Room } from './model.ts'
import type { Rooms } from './rooms.ts'

/**
 * Finds rooms and channels. The grants of the identity were asked by the address before; a private channel that it may
 * not enter is refused as if there were none, or `forbidden` (`hiddenChannel` in `auth/access.ts`).
 */
export type RoomResolver = {
  /** The room; `room_not_found`. */
  room(name: string): Room
  /** The channel, where the identity may enter it; `room_not_found`, `channel_not_found`, `forbidden`, `system_channel`. */
  channel(room: string, channel: string, identity: Identity): Channel
  /**
   * The channel for a join or a publish. It is created where it is missing, that is allowed, and `check` does not
   * throw.
   */
  resolveOrCreateChannel(room: string, channel: string, identity: Identity, wanted: WantedChannel): Channel
  /** True for a channel that is not there and that a connection of this identity would create by joining it. */
  isCreatable(room: string, channel: string, identity: Identity): boolean
  /** The room for a room-wide join or a broadcast, created likewise; `system_room`. */
  resolveOrCreateRoom(room: string, identity: Identity, wanted: WantedRoom): Room
  /** The refusal of what is not here: `storage_unavailable` where it may be in a store that cannot be asked now. */
  notFound(code: 'room_not_found' | 'channel_not_found', details: Record<string, unknown>): CodedError
}

/**
 * Throws what a request would be refused with once the room or channel exists, so that a refused request creates
 * nothing. Gets the room, where there is one.
 */
type CheckRoom = (room: Room | undefined) => void

/** What is asked of a room that is opened. */
type WantedRoom = {
  /** To whom it is counted where it is created. */
  readonly account: Account
  /** Before it is created. */
  readonly check?: CheckRoom
}

/** What is asked of a channel that is opened. */
type WantedChannel = WantedRoom & {
  /** The type that it has to have. Only an open channel is created on demand. */
  readonly type?: ChannelType | undefined
}

/** What finding rooms and channels needs. */
type RoomResolverDeps = {
  readonly rooms: Rooms
  readonly creation: CreationPolicy
  /** Called for channels that were made. */
  readonly created: (channel: Channel) => void
  /** True where what is not here may be in a store that cannot be asked now. */
  readonly isUnsure: () => boolean
}

/** Creates the room resolver of one bus. */
export function createRoomResolver({ rooms, creation, created, isUnsure }: RoomResolverDeps): RoomResolver {
  const notFound: RoomResolver['notFound'] = (code, details) =>
    isUnsure() ? awayError(details) : new CodedError(code, details)
  const newTarget = (room: string, channel: string): NewTarget => ({
    room,
    channel,
    isBuiltIn: rooms.get(room)?.builtIn === true,
    creation,
  })
  /** A client that expects a private channel must not enter an open one of its name. */
  const ofType = (channel: Channel, expected: ChannelType | undefined): Channel => {
    const { type: actual, address } = channel
    if (expected === undefined || expected === actual) return channel
    throw new CodedError('channel_type_mismatch', { channel: address, expected, actual })
  }
  const entered = (channel: Channel, identity: Identity): Channel => {
    if (may(identity, 'find', channel)) return channel
    throw hiddenChannel(identity, channel, () => notFound('channel_not_found', { channel: channel.address }))
  }
  const room = (name: string): Room => {
    const found = rooms.get(name)
    if (found === undefined) throw notFound('room_not_found', { room: name })
    return found
  }
  return {
    room,
    notFound,
    resolveOrCreateRoom(name, identity, { account, check }) {
      authorize(identity, 'enter', { room: name, channel: WHOLE_ROOM })
      const found = rooms.get(name)
      if (found !== undefined) return found
      if (!may(identity, 'open', newTarget(name, WHOLE_ROOM))) throw notFound('room_not_found', { room: name })
      check?.(undefined)
      return rooms.createRoom({ name, type: 'dynamic', ...creatorOf(identity), account })
    },
    channel(roomName, name, identity) {
      const found = room(roomName).channels.get(name)
      if (found === undefined) {
        // This name is for private messages: no channel has it.
        if (name === PM_CHANNEL) throw new CodedError('system_channel', { channel: `${roomName}:${name}` })
        throw notFound('channel_not_found', { channel: `${roomName}:${name}` })
      }
      return entered(found, identity)
    },
    isCreatable(roomName, name, identity) {
      const target = newTarget(roomName, name)
      const isMissing = rooms.channel(roomName, name) === undefined
      return isMissing && may(identity, 'enter', target) && may(identity, 'wait_for', target)
    },
    resolveOrCreateChannel(roomName, name, identity, { account, check, type }) {
      const target = newTarget(roomName, name)
      authorize(identity, 'enter', target)
      const found = rooms.channel(roomName, name)
      if (found !== undefined) return ofType(entered(found, identity), type)
      const existing = rooms.get(roomName)
      const isOpen = type === undefined || type === 'general'
      if (!isOpen || !may(identity, 'open', target)) {
        if (existing === undefined) throw notFound('room_not_found', { room: roomName })
        throw notFound('channel_not_found', { channel: `${roomName}:${name}` })
      }
      check?.(existing)
      const by = { ...creatorOf(identity), account }
      const wanted = { name, type: 'general', ...by, autoCreated: true } as const
      const channel =
        existing === undefined
          ? rooms.createWithRoom({ name: roomName, type: 'dynamic', ...by }, wanted)
          : rooms.createChannel(existing, wanted)
      created(channel)
      return channel
    },
  }
}
