import { CodedError, commands } from '@arqonbus/protocol'
import { authorize } from '../auth/access.ts'
import type { Directory } from '../cluster/cluster.ts'
import type { RoomResolver } from '../state/resolve.ts'
import type { Rooms } from '../state/rooms.ts'
import { command } from './command.ts'

/** What `delete_channel` needs. */
export type DeleteChannelDeps = {
  readonly rooms: Rooms
  readonly resolver: Pick<RoomResolver, 'room' | 'notFound'>
  readonly directory: Pick<Directory, 'countInChannel'>
}

/** `delete_channel`: deletes a channel without participants, and its history. */
export const deleteChannel = ({ rooms, resolver, directory }: DeleteChannelDeps) =>
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
