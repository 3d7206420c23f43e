import { commands } from '@arqonbus/protocol'
import { roomView } from '../state/views.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { changeableRoom } from './require-mutable-room.ts'

/** `resume_room`: messages in the room pass again. */
export const resumeRoom = ({ rooms, resolver, directory }: CommandDeps) =>
  command(commands.resume_room, ({ address, identity }) => {
    const room = changeableRoom(resolver, address.room, identity)
    rooms.setState(room, 'active')
    return { room: roomView(room, identity, directory.countInRoom(room)) }
  })
