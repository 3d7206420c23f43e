import type { Command } from '../bus/call/call.ts'
import type { Keeper } from '../bus/keep/keeper.ts'
import { then } from '../kit/maybe.ts'

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
