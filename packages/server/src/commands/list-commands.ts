import { type CommandShape, commands, describeCommand } from '@arqonbus/protocol'
import { RawJson } from '../kit/raw-json.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'

/** `list_commands`: the declarations of all commands. */
export function listCommands({ rateOf }: Pick<CommandDeps, 'rateOf'>) {
  let text: RawJson | undefined
  const described = () =>
    JSON.stringify(Object.values<CommandShape>(commands).map((shape) => describeCommand(shape, rateOf(shape.name))))
  return command(commands.list_commands, () => {
    text ??= new RawJson(described())
    return { commands: text }
  })
}
