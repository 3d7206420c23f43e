import { CodedError, commands, WHOLE_ROOM } from '@arqonbus/protocol'
import type { RoomResolver } from '../state/resolve.ts'
import type { Rooms } from '../state/rooms.ts'
import { command } from './command.ts'

/** `delete_channel`: deletes a channel without participants, and its history. */
export const deleteChannel = (rooms: Rooms, places: Pick<RoomResolver, 'notFound'>) =>
  command(commands.delete_channel, ({ address, asker }) => {
    const channel = rooms.channel(address.room, address.channel)
    // Permission comes before existence: what one may not delete, one learns nothing about. Of nothing nobody is the creator.
    if (channel !== undefined && !channel.hardcoded && !asker.isAdmin && channel.createdBy !== asker.id) {
      throw new CodedError('forbidden', { channel: channel.address })
    }
    if (rooms.get(address.room) === undefined) throw places.notFound('room_not_found', { room: address.room })
    if (channel === undefined || address.channel === WHOLE_ROOM) {
      throw places.notFound('channel_not_found', { channel: `${address.room}:${address.channel}` })
    }
    if (channel.hardcoded) throw new CodedError('channel_hardcoded', { channel: channel.address })
    if (channel.participants.size > 0) {
      throw new CodedError('channel_not_empty', {
        channel: channel.address,
        participant_count: channel.participants.size,
      })
    }
    rooms.deleteChannel(channel)
    return { channel: channel.address, deleted: true }
  })
