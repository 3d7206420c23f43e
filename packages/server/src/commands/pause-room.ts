import { commands } from '@arqonbus/protocol'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { setRoomState } from './require-mutable-room.ts'

/** `pause_room`: messages in the room are refused, commands work. */
export const pauseRoom = (deps: CommandDeps) =>
  command(commands.pause_room, (call) => setRoomState(deps, call, 'paused'))
