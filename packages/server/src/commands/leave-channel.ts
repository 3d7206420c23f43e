import { type Address, commands, WHOLE_ROOM } from '@arqonbus/protocol'
import { command } from '../bus/call/call.ts'
import type { Membership } from '../bus/places/membership.ts'
import { then } from '../kit/maybe.ts'
import type { Pieces, Turns } from '../kit/turns.ts'
import type { Client } from '../state/model.ts'
import type { Rooms } from '../state/rooms.ts'

/** `leave_channel`: ends a subscription. */
export const leaveChannel = (rooms: Rooms, membership: Membership, turns: Turns) =>
  command(commands.leave_channel, ({ address, requester }) => {
    const left = turns.run(() => leave({ rooms, membership }, address, requester))
    return then(left, (left) => ({ channel: `${address.room}:${address.channel}`, left }))
  })

function* leave(
  { rooms, membership }: { rooms: Rooms; membership: Membership },
  address: Address,
  requester: Client,
): Pieces<boolean> {
  if (address.channel === WHOLE_ROOM) {
    const room = rooms.get(address.room)
    if (room === undefined) return false
    yield* membership.leaveRestricted(requester, room)
    return membership.leaveRoom(requester, room)
  }
  const channel = rooms.channel(address.room, address.channel)
  return channel !== undefined && membership.leaveChannel(requester, channel)
}
