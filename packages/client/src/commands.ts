import type { CommandName, CommandParameters, CommandResult } from '@arqonbus/protocol'

/** Options of one command. */
export type CommandOptions = {
  /** From sending the command to its reply. Default: `replyTimeoutMs`. */
  timeoutMs?: number
}

/** Sends a command and resolves to its result. Parameters and result are named as on the wire. */
export type Command = <Name extends CommandName>(
  name: Name,
  parameters?: CommandParameters<Name>,
  options?: CommandOptions,
) => Promise<CommandResult<Name>>

/** The parameters of a command without those that its method passes. */
type Rest<Name extends CommandName> = Omit<CommandParameters<Name>, 'room' | 'channel'>

/** Creates one method per command; `join` and `leave` are part of the subscriptions. */
export const createCommands = (command: Command, now: () => number) => ({
  /** Resolves to the round trip time in milliseconds. */
  async ping(): Promise<number> {
    const start = now()
    await command('ping')
    return now() - start
  },
  /** Describes the bus. */
  status: (parameters: CommandParameters<'status'> = {}) => command('status', parameters),
  /** Describes every command of the bus: parameters, who may run it, and its rate. */
  listCommands: () => command('list_commands'),
  /** Lists the rooms, all of them or `room`. */
  listRooms: (parameters: CommandParameters<'list_rooms'> = {}) => command('list_rooms', parameters),
  /** Lists the visible channels, of all rooms or of `room`. */
  listChannels: (parameters: CommandParameters<'list_channels'> = {}) => command('list_channels', parameters),
  /** Lists the connected clients, of the bus or of one channel. */
  listClients: (parameters: CommandParameters<'list_clients'> = {}) => command('list_clients', parameters),
  /** Describes a channel and its participants. */
  channelInfo: (address: string) => command('channel_info', { channel: address }),
  /** Reads the log of a channel, of a room's broadcast (`room:*`) or of the client's own inbox (`arqonbus:inbox`). */
  history: (address: string, parameters: Rest<'history'> = {}) =>
    command('history', { ...parameters, channel: address }),
  /**
   * Sets what others see of this client in presence: for one joined channel or room, or for all that have no status of
   * their own. `null` takes it away.
   */
  setPresence: (status: Record<string, unknown> | null, address?: string) =>
    command('set_presence', { status, ...(address !== undefined && { channel: address }) }),
  /** Creates a channel, and its room if it does not exist. */
  createChannel: (address: string, parameters: Rest<'create_channel'> = {}) =>
    command('create_channel', { ...parameters, channel: address }),
  /** Deletes a channel without participants. */
  deleteChannel: (address: string, parameters: Rest<'delete_channel'> = {}) =>
    command('delete_channel', { ...parameters, channel: address }),
  /** Changes screen name, avatar or personality of this client. */
  updateProfile: (parameters: CommandParameters<'update_profile'>) => command('update_profile', parameters),
  /** Pauses a room: the bus refuses messages to it. For admins. */
  pauseRoom: (room: string, parameters: Rest<'pause_room'> = {}) => command('pause_room', { ...parameters, room }),
  /** Ends the pause of a room. For admins. */
  resumeRoom: (room: string, parameters: Rest<'resume_room'> = {}) => command('resume_room', { ...parameters, room }),
  /** Deletes a room without channels. For its creator and admins. */
  deleteRoom: (room: string, parameters: Rest<'delete_room'> = {}) => command('delete_room', { ...parameters, room }),
  /** Lets the server read its settings again. For admins. */
  reload: (parameters: CommandParameters<'reload'> = {}) => command('reload', parameters),
  /** Closes the connection of a client. For admins. */
  disconnectClient: (clientId: string, parameters: Omit<CommandParameters<'disconnect_client'>, 'client_id'> = {}) =>
    command('disconnect_client', { ...parameters, client_id: clientId }),
})

/** The named commands of a client. */
export type Commands = ReturnType<typeof createCommands>
