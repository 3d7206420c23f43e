import { commands } from '@arqonbus/protocol'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'

/** `reload`: reads the settings again. */
export const reload = ({ reload: { run } }: CommandDeps) => command(commands.reload, run)
