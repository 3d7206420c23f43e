import { commands } from '@arqonbus/protocol'
import { command } from '../bus/call/call.ts'
import type { Places } from '../bus/places/places.ts'
import type { Rooms } from '../state/rooms.ts'
import { roomView } from '../state/views.ts'
import { changeableRoom } from './changeable.ts'

/** `pause_room`: messages in the room are refused, commands work. */
export const pauseRoom = (rooms: Rooms, places: Places) =>
  command(commands.pause_room, ({ address, asker }) => {
    const room = changeableRoom(places, address.room)
    rooms.setState(room, 'paused')
    return { room: roomView(room, asker) }
  })
