/** Calls: a command on its way to its function (docs/protocol.md#commands). */
import type { Address, CommandName, CommandParameters, CommandResult, CommandShape, commands } from '@arqonbus/protocol'
import type { Identity } from '../auth/identity.ts'
import type { Maybe } from '../kit/maybe.ts'
import type { Encodable } from '../kit/raw-json.ts'
import type { Client } from '../state/model.ts'

/** A command as its function receives it. */
export type CommandCall<Parameters = Record<string, unknown>> = {
  readonly parameters: Parameters
  /** The payload as it was written: `{ name, parameters }`. */
  readonly payloadText: string
  readonly requester: Client
  /** Who the requester is: for this command an admin, where its parameters have the admin key. */
  readonly identity: Identity
  /** When it was received, in wall time. */
  readonly timestamp: number
  /** Where it goes: `room` and `channel` of the parameters, what is missing from the envelope. */
  readonly address: Address
  /**
   * Takes further tokens of the rate that the command was paid from, for work beyond that of one command; they may run
   * into debt.
   */
  readonly charge: (tokens: number) => void
}

/** A command: its declaration, and what it does. It returns its result, or throws a coded error. */
export type Command<Name extends CommandName = CommandName> = {
  readonly shape: CommandShape & { readonly name: Name }
  readonly run: (call: CommandCall) => Maybe<ResultOrCommit<object>>
}

/** What each declared command does: a declaration without an implementation does not compile. */
export type Commands = { readonly [Name in CommandName]: Command<Name> }

/** A result; or a function that returns it, if the command takes effect in the tick of the reply and not before. */
type ResultOrCommit<Result> = Result | (() => Result)

/** Implements a declared command. */
export function command<Name extends CommandName>(
  shape: (typeof commands)[Name] & { readonly name: Name },
  run: (call: CommandCall<CommandParameters<Name>>) => Maybe<ResultOrCommit<Encodable<CommandResult<Name>>>>,
): Command<Name> {
  return { shape, run: run as Command['run'] }
}
