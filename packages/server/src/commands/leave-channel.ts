import { type Address, commands, WHOLE_ROOM } from '@arqonbus/protocol'
import type { FairQueue, Pieces } from '../kit/fair-queue.ts'
import { chain } from '../kit/maybe.ts'
import type { Client } from '../state/model.ts'
import type { Rooms } from '../state/rooms.ts'
import type { Sessions } from '../state/sessions.ts'
import type { Subscriptions } from '../subscriptions/subscriptions.ts'
import { command } from './command.ts'

/** What leaving needs. */
type LeaveDeps = {
  readonly rooms: Rooms
  readonly subscriptions: Subscriptions
  readonly sessions: Pick<Sessions, 'left'>
  readonly turns: FairQueue
}

/** `leave_channel`: ends a subscription. */
export const leaveChannel = ({ rooms, subscriptions, sessions, turns }: LeaveDeps) =>
  command(commands.leave_channel, ({ address, requester }) => {
    const channel = `${address.room}:${address.channel}`
    // Also where it is only kept from an earlier connection.
    sessions.left(requester.id, channel)
    const left = turns.run(() => leave({ rooms, subscriptions }, address, requester))
    return chain(left, (left) => ({ channel, left }))
  })

function* leave(
  { rooms, subscriptions }: Pick<LeaveDeps, 'rooms' | 'subscriptions'>,
  address: Address,
  requester: Client,
): Pieces<boolean> {
  if (address.channel === WHOLE_ROOM) {
    const room = rooms.get(address.room)
    if (room === undefined) return false
    yield* subscriptions.privateChannels.unsubscribeAhead(requester, room)
    return subscriptions.unsubscribeFromRoom(requester, room)
  }
  const channel = rooms.channel(address.room, address.channel)
  return channel !== undefined && subscriptions.unsubscribe(requester, channel)
}
