import { type Address, commands, WHOLE_ROOM } from '@arqonbus/protocol'
import type { FairQueue, Pieces } from '../kit/fair-queue.ts'
import { chain } from '../kit/maybe.ts'
import type { Client } from '../state/model.ts'
import type { Rooms } from '../state/rooms.ts'
import type { Sessions } from '../state/sessions.ts'
import type { Membership } from '../subscriptions/subscriptions.ts'
import { command } from './command.ts'

/** What leaving needs. */
type LeaveDeps = {
  readonly rooms: Rooms
  readonly membership: Membership
  readonly sessions: Pick<Sessions, 'left'>
  readonly turns: FairQueue
}

/** `leave_channel`: ends a subscription. */
export const leaveChannel = ({ rooms, membership, sessions, turns }: LeaveDeps) =>
  command(commands.leave_channel, ({ address, requester }) => {
    const channel = `${address.room}:${address.channel}`
    // Also where it is only kept from an earlier connection.
    sessions.left(requester.id, channel)
    const left = turns.run(() => leave({ rooms, membership }, address, requester))
    return chain(left, (left) => ({ channel, left }))
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
