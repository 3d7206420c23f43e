import { then } from '../kit/maybe.ts'
import type { Keeper } from '../persistence/persistence.ts'
import type { Command } from './command.ts'

/** A command that changes rooms or channels: it answers when what it changed is stored, where that is kept. */
export const kept = (keeper: Pick<Keeper, 'check' | 'settled'> | undefined, command: Command): Command =>
  keeper === undefined
    ? command
    : {
        shape: command.shape,
        run(call) {
          keeper.check()
          return then(command.run(call), (outcome) => then(keeper.settled(), () => outcome))
        },
      }
