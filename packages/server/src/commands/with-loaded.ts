import { CodedError, type CommandName, type ErrorCode } from '@arqonbus/protocol'
import type { Persistence } from '../persistence/persistence.ts'
import type { Command, CommandCall } from './command.ts'

/** A command about a room or a channel: its target is loaded first where it is not in memory and may be stored. */
export const withLoadedTarget = <Name extends CommandName>(
  persistence: Pick<Persistence, 'loadTarget'> | undefined,
  command: Command<Name>,
): Command<Name> =>
  persistence === undefined
    ? command
    : afterLoading(
        ({ address: { room, channel }, identity }) => persistence.loadTarget(room, channel, identity),
        command,
      )

/** A command about a whole room: the room and all of its channels are loaded first. */
export const withLoadedRoom = <Name extends CommandName>(
  persistence: Pick<Persistence, 'loadRoom'> | undefined,
  command: Command<Name>,
): Command<Name> =>
  persistence === undefined ? command : afterLoading(({ address: { room } }) => persistence.loadRoom(room), command)

const afterLoading = <Name extends CommandName>(
  load: (call: CommandCall) => Promise<void> | undefined,
  { shape, run }: Command<Name>,
): Command<Name> => ({
  shape,
  run(call) {
    const loading = load(call)
    if (loading === undefined) return run(call)
    return loading.catch((problem: unknown) => Promise.reject(asDeclared(problem, shape.errors))).then(() => run(call))
  },
})

/**
 * A stored target that does not fit within the limits of this server: a command that does not declare that code fails
 * with `storage_unavailable`.
 */
function asDeclared(problem: unknown, errors: readonly ErrorCode[]): unknown {
  if (!(problem instanceof CodedError) || errors.includes(problem.code)) return problem
  return new CodedError('storage_unavailable', problem.details)
}
