import { commands } from '@arqonbus/protocol'
import { command } from '../bus/call.ts'
import type { Places } from '../bus/places.ts'
import { roomView } from '../state/views.ts'
import { changeableRoom } from './changeable.ts'

/** `pause_room`: messages in the room are refused, commands work. */
export const pauseRoom = (places: Places) =>
  command(commands.pause_room, ({ address, asker }) => {
    const room = changeableRoom(places, address.room)
    room.state = 'paused'
    return { room: roomView(room, asker) }
  })
