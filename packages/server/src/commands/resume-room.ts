import { commands } from '@arqonbus/protocol'
import { command } from '../bus/call/call.ts'
import type { Places } from '../bus/places/places.ts'
import type { Rooms } from '../state/rooms.ts'
import { roomView } from '../state/views.ts'
import { changeableRoom } from './changeable.ts'

/** `resume_room`: messages in the room pass again. */
export const resumeRoom = (rooms: Rooms, places: Places) =>
  command(commands.resume_room, ({ address, asker }) => {
    const room = changeableRoom(places, address.room)
    rooms.setState(room, 'active')
    return { room: roomView(room, asker) }
  })
