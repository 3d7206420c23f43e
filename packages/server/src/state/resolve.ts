/** Places: from an address to the room and the channel, made on demand where that is allowed (protocol §4). */
import { BUS, CodedError, PM_CHANNEL } from '@arqonbus/protocol'
import type { Channel, ChannelType, Client, Room } from './model.ts'
import { mayEnter } from './model.ts'
import type { Rooms } from './rooms.ts'

/** Who may make what is not there. */
export type Creation = { readonly autoCreate: boolean; readonly create: 'user' | 'admin' }

/** Who asks: a client, perhaps raised to admin for one command. */
export type Asker = Pick<Client, 'id' | 'kind'> & { readonly isAdmin: boolean }

/** Finds places. */
export type RoomResolver = {
  /** The room; `room_not_found`. */
  room(name: string): Room
  /** The channel that the asker may enter; `room_not_found`, `channel_not_found`, `forbidden`, `system_channel`. */
  channel(room: string, channel: string, asker: Asker): Channel
  /** The same for a join or a publish: what is not there is made, where that is allowed and `check` does not throw. */
  resolveOrCreateChannel(room: string, channel: string, asker: Asker, wanted?: WantedChannel): Channel
  /** True for a channel that is not there and that a connection would create by joining it. */
  isCreatable(room: string, channel: string, asker: Asker): boolean
  /** The room for a room-wide join or a broadcast, made likewise. */
  resolveOrCreateRoom(room: string, asker: Asker, check?: CheckPlace): Room
  /** The refusal of what is not here: `storage_unavailable` where it may be in a store that cannot be asked now. */
  notFound(code: 'room_not_found' | 'channel_not_found', details: Record<string, unknown>): CodedError
}

/** Throws what a request would be refused with once the place is there, so that a refused request makes nothing. The room, where there is one. */
export type CheckPlace = (room: Room | undefined) => void

/** What is asked of a channel that is opened. */
export type WantedChannel = {
  /** Before it is created. */
  readonly check?: CheckPlace
  /** The type that it has to have. Only an open channel is created on demand. */
  readonly type?: ChannelType | undefined
}

/** As whom a client asks. */
export const askerOf = (client: Client, isAdmin = client.role === 'admin'): Asker => ({
  id: client.id,
  kind: client.kind,
  isAdmin,
})

/** What finding places needs. */
export type RoomResolverDeps = {
  readonly rooms: Rooms
  readonly creation: Creation
  /** Called for channels that were made. */
  readonly created: (channel: Channel) => void
  /** True where what is not here may be in a store that cannot be asked now. */
  readonly isUnsure: () => boolean
}

/** When to ask again for what may be in a store that is away. */
const RETRY_AFTER_MS = 1000

/** Finds the places of one bus. */
export function createRoomResolver({ rooms, creation, created, isUnsure }: RoomResolverDeps): RoomResolver {
  const notFound: RoomResolver['notFound'] = (code, details) =>
    isUnsure() ? new CodedError('storage_unavailable', details, RETRY_AFTER_MS) : new CodedError(code, details)
  const isAllowed = ({ isAdmin }: Asker) => creation.autoCreate && (creation.create === 'user' || isAdmin)
  const mayCreate = (asker: Asker) => asker.kind !== 'stream' && isAllowed(asker)
  const enter = (channel: Channel, asker: Asker): Channel => {
    if (!mayEnter(channel, asker)) throw new CodedError('forbidden', { channel: channel.address })
    return channel
  }
  /** Nobody enters an open channel under the name of a private one without knowing it. */
  const ofType = (channel: Channel, expected: ChannelType | undefined): Channel => {
    const { type: actual, address } = channel
    if (expected === undefined || expected === actual) return channel
    throw new CodedError('channel_type_mismatch', { channel: address, expected, actual })
  }
  /** Channels that belong to the bus are no places for messages. */
  const refuseOwn = (room: string, channel: string) => {
    if (room === BUS || channel === PM_CHANNEL)
      throw new CodedError('system_channel', { channel: `${room}:${channel}` })
  }
  const room = (name: string): Room => {
    const found = rooms.get(name)
    if (found === undefined) throw notFound('room_not_found', { room: name })
    return found
  }
  return {
    room,
    notFound,
    resolveOrCreateRoom(name, asker, check) {
      if (name === BUS) throw new CodedError('system_room', { room: name })
      const found = rooms.get(name)
      if (found !== undefined) return found
      if (!mayCreate(asker)) throw notFound('room_not_found', { room: name })
      check?.(undefined)
      return rooms.createRoom({ name, type: 'dynamic', createdBy: asker.id })
    },
    channel(roomName, name, asker) {
      const found = room(roomName).channels.get(name)
      if (found !== undefined) return enter(found, asker)
      if (name === PM_CHANNEL) throw new CodedError('system_channel', { channel: `${roomName}:${name}` })
      throw notFound('channel_not_found', { channel: `${roomName}:${name}` })
    },
    isCreatable(roomName, name, asker) {
      if (roomName === BUS || name === PM_CHANNEL || !isAllowed(asker)) return false
      return rooms.get(roomName)?.type !== 'system' && rooms.channel(roomName, name) === undefined
    },
    resolveOrCreateChannel(roomName, name, asker, { check, type } = {}) {
      const found = rooms.channel(roomName, name)
      if (found !== undefined && roomName !== BUS) return ofType(enter(found, asker), type)
      refuseOwn(roomName, name)
      const existing = rooms.get(roomName)
      const isOpen = type === undefined || type === 'general'
      // Only the configuration adds to a system room.
      if (!mayCreate(asker) || existing?.type === 'system' || !isOpen) {
        if (existing === undefined) throw notFound('room_not_found', { room: roomName })
        throw notFound('channel_not_found', { channel: `${roomName}:${name}` })
      }
      check?.(existing)
      const wanted = { name, type: 'general', createdBy: asker.id, autoCreated: true } as const
      const channel =
        existing === undefined
          ? rooms.createWithRoom({ name: roomName, type: 'dynamic', createdBy: asker.id }, wanted)
          : rooms.createChannel(existing, wanted)
      created(channel)
      return channel
    },
  }
}
