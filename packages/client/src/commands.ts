import type { CommandName, CommandParameters, CommandResult } from '@arqonbus/protocol'

/** How one command is sent. */
export type CommandOptions = {
  /** From the command to its reply; else `replyTimeoutMs`. */
  timeoutMs?: number
}

/** Sends a command and gives its result; parameters and result are named as on the wire. */
export type Command = <Name extends CommandName>(
  name: Name,
  parameters?: CommandParameters<Name>,
  options?: CommandOptions,
) => Promise<CommandResult<Name>>

/** The parameters of a command without those that a method takes by itself. */
type Rest<Name extends CommandName> = Omit<CommandParameters<Name>, 'room' | 'channel'>

/** A method for each command; `join` and `leave` belong to the subscriptions. */
export const createCommands = (command: Command, now: () => number) => ({
  /** The round trip in milliseconds. */
  async ping(): Promise<number> {
    const start = now()
    await command('ping')
    return now() - start
  },
  /** Describes the bus. */
  status: () => command('status'),
  /** Lists the channels that one may see, of all rooms or of `room`. */
  listChannels: (parameters: CommandParameters<'list_channels'> = {}) => command('list_channels', parameters),
  /** Lists the connected clients, of the bus or of one channel. */
  listClients: (parameters: CommandParameters<'list_clients'> = {}) => command('list_clients', parameters),
  /** Describes a channel and its participants. */
  channelInfo: (address: string) => command('channel_info', { channel: address }),
  /** Reads what was said in a channel, in a room's broadcast (`room:*`) or in one's own inbox (`arqonbus:inbox`). */
  history: (address: string, parameters: Rest<'history'> = {}) =>
    command('history', { ...parameters, channel: address }),
  /** Creates a channel, and its room where there is none. */
  createChannel: (address: string, parameters: Rest<'create_channel'> = {}) =>
    command('create_channel', { ...parameters, channel: address }),
  /** Deletes a channel without participants. */
  deleteChannel: (address: string, parameters: Rest<'delete_channel'> = {}) =>
    command('delete_channel', { ...parameters, channel: address }),
  /** Changes screen name, avatar or personality. */
  updateProfile: (parameters: CommandParameters<'update_profile'>) => command('update_profile', parameters),
  /** Refuses messages in a room. For admins. */
  pauseRoom: (room: string, parameters: Rest<'pause_room'> = {}) => command('pause_room', { ...parameters, room }),
  /** Lets the messages of a paused room pass again. For admins. */
  resumeRoom: (room: string, parameters: Rest<'resume_room'> = {}) => command('resume_room', { ...parameters, room }),
  /** Deletes a room without channels. For admins. */
  deleteRoom: (room: string, parameters: Rest<'delete_room'> = {}) => command('delete_room', { ...parameters, room }),
  /** Ends a client's connection. For admins. */
  disconnectClient: (clientId: string, parameters: Omit<CommandParameters<'disconnect_client'>, 'client_id'> = {}) =>
    command('disconnect_client', { ...parameters, client_id: clientId }),
})

/** The named commands of a client. */
export type Commands = ReturnType<typeof createCommands>
