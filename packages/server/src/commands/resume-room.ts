import { commands } from '@arqonbus/protocol'
import { command } from '../bus/call.ts'
import type { Places } from '../bus/places.ts'
import { roomView } from '../state/views.ts'
import { changeableRoom } from './changeable.ts'

/** `resume_room`: messages in the room pass again. */
export const resumeRoom = (places: Places) =>
  command(commands.resume_room, ({ address, asker }) => {
    const room = changeableRoom(places, address.room)
    room.state = 'active'
    return { room: roomView(room, asker) }
  })
