import { CodedError, commands } from '@arqonbus/protocol'
import { authorize } from '../auth/access.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'

/** `delete_channel`: deletes a channel without participants, and its history. */
export const deleteChannel = ({ rooms, resolver, directory }: CommandDeps) =>
  command(commands.delete_channel, ({ address, identity }) => {
    const channel = resolver.room(address.room).channels.get(address.channel)
    if (channel === undefined)
      throw resolver.notFound('channel_not_found', { channel: `${address.room}:${address.channel}` })
    authorize(identity, 'delete', channel)
    const count = directory.countInChannel(channel)
    if (count > 0) throw new CodedError('channel_not_empty', { channel: channel.address, participant_count: count })
    rooms.deleteChannel(channel)
    return { channel: channel.address, deleted: true }
  })
