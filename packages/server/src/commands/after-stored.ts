import type { CommandName } from '@arqonbus/protocol'
import { chain } from '../kit/maybe.ts'
import type { Persistence } from '../persistence/persistence.ts'
import type { Command } from './command.ts'

/** A command that changes rooms or channels: it replies when the change is stored, where persistence is on. */
export const afterStored = <Name extends CommandName>(
  persistence: Pick<Persistence, 'check' | 'settled'> | undefined,
  command: Command<Name>,
): Command<Name> =>
  persistence === undefined
    ? command
    : {
        shape: command.shape,
        run(call) {
          persistence.check()
          return chain(command.run(call), (outcome) => chain(persistence.settled(), () => outcome))
        },
      }
