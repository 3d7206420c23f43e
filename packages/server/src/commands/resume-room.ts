import { commands } from '@arqonbus/protocol'
import type { RoomResolver } from '../state/resolve.ts'
import type { Rooms } from '../state/rooms.ts'
import { roomView } from '../state/views.ts'
import { command } from './command.ts'
import { changeableRoom } from './require-mutable-room.ts'

/** `resume_room`: messages in the room pass again. */
export const resumeRoom = (rooms: Rooms, places: RoomResolver) =>
  command(commands.resume_room, ({ address, identity }) => {
    const room = changeableRoom(places, address.room, identity)
    rooms.setState(room, 'active')
    return { room: roomView(room, identity) }
  })
