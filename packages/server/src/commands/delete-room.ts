import { CodedError, commands } from '@arqonbus/protocol'
import { command } from '../bus/call/call.ts'
import type { Membership } from '../bus/places/membership.ts'
import type { Places } from '../bus/places/places.ts'
import type { Rooms } from '../state/rooms.ts'
import { changeableRoom } from './changeable.ts'

/** `delete_room`: deletes a room without channels; room-wide subscriptions to it end. */
export const deleteRoom = (rooms: Rooms, places: Places, membership: Membership) =>
  command(commands.delete_room, ({ address }) => {
    const room = changeableRoom(places, address.room)
    if (room.channels.size > 0)
      throw new CodedError('room_not_empty', { room: room.name, channels: room.channels.size })
    for (const client of room.wide) membership.leaveRoom(client, room)
    rooms.deleteRoom(room)
    return { room: room.name, deleted: true }
  })
