/** All commands of the protocol, by name. */
import { disconnect_client, list_clients, list_commands, ping, reload, status, update_profile } from './bus.ts'
import {
  channel_info,
  create_channel,
  delete_channel,
  delete_message,
  history,
  invite,
  join_channel,
  leave_channel,
  list_channels,
  remove_member,
} from './channels.ts'
import { presence, set_presence } from './presence.ts'
import { delete_room, list_rooms, pause_room, resume_room } from './rooms.ts'
import type { ParametersOf, ResultOf } from './shape.ts'
import { authenticate, revoke } from './tokens.ts'

/** Every command, declared once: validation, documentation and SDK types come from here. */
export const commands = {
  ping,
  status,
  list_commands,
  list_rooms,
  list_channels,
  list_clients,
  channel_info,
  join_channel,
  leave_channel,
  history,
  presence,
  set_presence,
  create_channel,
  delete_channel,
  delete_message,
  invite,
  remove_member,
  update_profile,
  pause_room,
  resume_room,
  delete_room,
  disconnect_client,
  authenticate,
  revoke,
  reload,
} as const

/** The name of a command. */
export type CommandName = keyof typeof commands

// Worked out once for each command: through a type parameter the compiler would do so for every pair of names it
// compares.
type ParametersByName = { [Name in CommandName]: ParametersOf<(typeof commands)[Name]> }
type ResultsByName = { [Name in CommandName]: ResultOf<(typeof commands)[Name]> }

/** The parameters of a command. */
export type CommandParameters<Name extends CommandName> = ParametersByName[Name]

/** The result of a command. */
export type CommandResult<Name extends CommandName> = ResultsByName[Name]
