import { commands } from '@arqonbus/protocol'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { setRoomState } from './require-mutable-room.ts'

/** `resume_room`: messages in the room pass again. */
export const resumeRoom = (deps: CommandDeps) =>
  command(commands.resume_room, (call) => setRoomState(deps, call, 'active'))
