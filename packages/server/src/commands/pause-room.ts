import { commands } from '@arqonbus/protocol'
import { roomView } from '../state/views.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { changeableRoom } from './require-mutable-room.ts'

/** `pause_room`: messages in the room are refused, commands work. */
export const pauseRoom = ({ rooms, resolver, directory }: CommandDeps) =>
  command(commands.pause_room, ({ address, identity }) => {
    const room = changeableRoom(resolver, address.room, identity)
    rooms.setState(room, 'paused')
    return { room: roomView(room, identity, directory.countInRoom(room)) }
  })
