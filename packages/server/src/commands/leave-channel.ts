import { type Address, commands, WHOLE_ROOM } from '@arqonbus/protocol'
import type { Pieces } from '../kit/fair-queue.ts'
import { chain } from '../kit/maybe.ts'
import type { Client } from '../state/model.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'

/** `leave_channel`: ends a subscription. */
export const leaveChannel = (deps: CommandDeps) =>
  command(commands.leave_channel, ({ address, requester }) => {
    const channel = `${address.room}:${address.channel}`
    // Also where it is only kept from an earlier connection.
    deps.sessions.left(requester.id, channel)
    const left = deps.turns.run(() => leave(deps, address, requester))
    return chain(left, (left) => ({ channel, left }))
  })

function* leave({ rooms, subscriptions }: CommandDeps, address: Address, requester: Client): Pieces<boolean> {
  if (address.channel === WHOLE_ROOM) {
    const room = rooms.get(address.room)
    if (room === undefined) return false
    yield* subscriptions.roomChannels.unsubscribeAhead(requester, room)
    return subscriptions.unsubscribeFromRoom(requester, room)
  }
  const channel = rooms.channel(address.room, address.channel)
  return channel !== undefined && subscriptions.unsubscribe(requester, channel)
}
