import { commands } from '@arqonbus/protocol'
import type { RoomResolver } from '../state/resolve.ts'
import type { Rooms } from '../state/rooms.ts'
import { roomView } from '../state/views.ts'
import { command } from './command.ts'
import { changeableRoom } from './require-mutable-room.ts'

/** `pause_room`: messages in the room are refused, commands work. */
export const pauseRoom = (rooms: Rooms, places: RoomResolver) =>
  command(commands.pause_room, ({ address, identity }) => {
    const room = changeableRoom(places, address.room, identity)
    rooms.setState(room, 'paused')
    return { room: roomView(room, identity) }
  })
