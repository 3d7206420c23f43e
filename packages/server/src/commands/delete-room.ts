import { CodedError, commands } from '@arqonbus/protocol'
import { authorize } from '../auth/access.ts'
import type { Pieces } from '../kit/fair-queue.ts'
import { chain } from '../kit/maybe.ts'
import type { Room } from '../state/model.ts'
import type { Subscriptions } from '../subscriptions/subscriptions.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { changeableRoom } from './require-mutable-room.ts'

/** `delete_room`: deletes a room without channels; room-wide subscriptions to it end. */
export const deleteRoom = ({ rooms, resolver, subscriptions, endings, turns }: CommandDeps) =>
  command(commands.delete_room, ({ address, identity }) => {
    const room = changeableRoom(resolver, address.room, identity)
    authorize(identity, 'delete_room', room)
    if (room.channels.size > 0)
      throw new CodedError('room_not_empty', { room: room.name, channels: room.channels.size })
    endings.roomDeleted(room)
    // First, so that no client joins it while its subscribers leave. Another room of its name has topics of its own.
    rooms.deleteRoom(room)
    return chain(
      turns.run(() => unsubscribeAll(subscriptions, room)),
      () => ({ room: room.name, deleted: true }),
    )
  })

function* unsubscribeAll(subscriptions: Subscriptions, room: Room): Pieces<void> {
  for (const client of room.roomSubscriptions.keys()) {
    subscriptions.unsubscribeFromRoom(client, room)
    yield
  }
}
