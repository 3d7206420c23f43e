import { CodedError, commands } from '@arqonbus/protocol'
import { authorize } from '../auth/access.ts'
import type { RoomResolver } from '../state/resolve.ts'
import type { Rooms } from '../state/rooms.ts'
import { command } from './command.ts'

/** `delete_channel`: deletes a channel without participants, and its history. */
export const deleteChannel = (rooms: Rooms, places: Pick<RoomResolver, 'room' | 'notFound'>) =>
  command(commands.delete_channel, ({ address, identity }) => {
    const channel = places.room(address.room).channels.get(address.channel)
    if (channel === undefined)
      throw places.notFound('channel_not_found', { channel: `${address.room}:${address.channel}` })
    authorize(identity, 'delete', channel)
    if (channel.participants.size > 0) {
      throw new CodedError('channel_not_empty', {
        channel: channel.address,
        participant_count: channel.participants.size,
      })
    }
    rooms.deleteChannel(channel)
    return { channel: channel.address, deleted: true }
  })
