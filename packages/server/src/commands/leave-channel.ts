import { commands, WHOLE_ROOM } from '@arqonbus/protocol'
import { command } from '../bus/call/call.ts'
import type { Membership } from '../bus/places/membership.ts'
import type { Rooms } from '../state/rooms.ts'

/** `leave_channel`: ends a subscription. */
export const leaveChannel = (rooms: Rooms, membership: Membership) =>
  command(commands.leave_channel, ({ address, requester }) => ({
    channel: `${address.room}:${address.channel}`,
    left: leave(rooms, membership, address, requester),
  }))

function leave(
  rooms: Rooms,
  membership: Membership,
  address: { room: string; channel: string },
  requester: Parameters<Membership['leaveRoom']>[0],
) {
  if (address.channel === WHOLE_ROOM) {
    const room = rooms.get(address.room)
    return room !== undefined && membership.leaveRoom(requester, room)
  }
  const channel = rooms.channel(address.room, address.channel)
  return channel !== undefined && membership.leaveChannel(requester, channel)
}
