import { CodedError, type CommandName, type ErrorCode } from '@arqonbus/protocol'
import type { Persistence } from '../persistence/persistence.ts'
import type { Call, Command } from './command.ts'

/** A command about a room or a channel: what is not here is asked for first, because it may be stored. */
export const asked = <Name extends CommandName>(
  persistence: Pick<Persistence, 'recallPlace'> | undefined,
  command: Command<Name>,
): Command<Name> =>
  persistence === undefined
    ? command
    : askedBy(({ address: { room, channel } }) => persistence.recallPlace(room, channel), command)

/** The same for a command about all channels of a room. */
export const askedWhole = <Name extends CommandName>(
  persistence: Pick<Persistence, 'recallRoom'> | undefined,
  command: Command<Name>,
): Command<Name> =>
  persistence === undefined ? command : askedBy(({ address: { room } }) => persistence.recallRoom(room), command)

const askedBy = <Name extends CommandName>(
  ask: (call: Call) => Promise<void> | undefined,
  { shape, run }: Command<Name>,
): Command<Name> => ({
  shape,
  run(call) {
    const answer = ask(call)
    if (answer === undefined) return run(call)
    return answer.catch((problem: unknown) => Promise.reject(asDeclared(problem, shape.errors))).then(() => run(call))
  },
})

/** It is stored, and this server has no room for it: most commands do not know that of what they only read. */
function asDeclared(problem: unknown, errors: readonly ErrorCode[]): unknown {
  if (!(problem instanceof CodedError) || errors.includes(problem.code)) return problem
  return new CodedError('storage_unavailable', problem.details)
}
