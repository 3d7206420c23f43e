/** Places: from an address to the room and the channel, made on demand where that is allowed (protocol §4). */
import { BUS, CodedError, PM_CHANNEL } from '@arqonbus/protocol'
import type { Channel, Client, Room } from '../../state/model.ts'
import { mayEnter } from '../../state/model.ts'
import type { Rooms } from '../../state/rooms.ts'

/** Who may make what is not there. */
export type Creation = { readonly autoCreate: boolean; readonly create: 'user' | 'admin' }

/** Who asks: a client, perhaps raised to admin for one command. */
export type Asker = Pick<Client, 'id'> & { readonly isAdmin: boolean }

/** Finds places. */
export type Places = {
  /** The room; `room_not_found`. */
  room(name: string): Room
  /** The channel that the asker may enter; `room_not_found`, `channel_not_found`, `forbidden`, `system_channel`. */
  channel(room: string, channel: string, asker: Asker): Channel
  /** The same for a join or a publish: what is not there is made, where that is allowed and `check` does not throw. */
  openChannel(room: string, channel: string, asker: Asker, check?: CheckPlace): Channel
  /** The room for a room-wide join or a broadcast, made likewise. */
  openRoom(room: string, asker: Asker, check?: CheckPlace): Room
}

/** Throws what a request would be refused with once the place is there, so that a refused request makes nothing. The room, where there is one. */
export type CheckPlace = (room: Room | undefined) => void

/** As whom a client asks. */
export const askerOf = (client: Client, isAdmin = client.role === 'admin'): Asker => ({ id: client.id, isAdmin })

/** Makes it. `created` hears of channels that were made. */
export function createPlaces(rooms: Rooms, creation: Creation, created: (channel: Channel) => void): Places {
  const mayCreate = (asker: Asker) => creation.autoCreate && (creation.create === 'user' || asker.isAdmin)
  const enter = (channel: Channel, asker: Asker): Channel => {
    if (!mayEnter(channel, asker)) throw new CodedError('forbidden', { channel: channel.address })
    return channel
  }
  /** Channels that belong to the bus are no places for messages. */
  const refuseOwn = (room: string, channel: string) => {
    if (room === BUS || channel === PM_CHANNEL)
      throw new CodedError('system_channel', { channel: `${room}:${channel}` })
  }
  const room = (name: string): Room => {
    const found = rooms.get(name)
    if (found === undefined) throw new CodedError('room_not_found', { room: name })
    return found
  }
  return {
    room,
    openRoom(name, asker, check) {
      if (name === BUS) throw new CodedError('system_room', { room: name })
      const found = rooms.get(name)
      if (found !== undefined) return found
      if (!mayCreate(asker)) throw new CodedError('room_not_found', { room: name })
      check?.(undefined)
      return rooms.createRoom({ name, type: 'dynamic', createdBy: asker.id })
    },
    channel(roomName, name, asker) {
      const found = room(roomName).channels.get(name)
      if (found !== undefined) return enter(found, asker)
      if (name === PM_CHANNEL) throw new CodedError('system_channel', { channel: `${roomName}:${name}` })
      throw new CodedError('channel_not_found', { channel: `${roomName}:${name}` })
    },
    openChannel(roomName, name, asker, check) {
      const found = rooms.channel(roomName, name)
      if (found !== undefined && roomName !== BUS) return enter(found, asker)
      refuseOwn(roomName, name)
      const existing = rooms.get(roomName)
      // Only the configuration adds to a system room.
      if (!mayCreate(asker) || existing?.type === 'system') {
        if (existing === undefined) throw new CodedError('room_not_found', { room: roomName })
        throw new CodedError('channel_not_found', { channel: `${roomName}:${name}` })
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
