import { CodedError, commands } from '@arqonbus/protocol'
import { command } from '../bus/call/call.ts'
import type { EndNotices } from '../bus/deliver/endings.ts'
import type { Membership } from '../bus/places/membership.ts'
import type { Places } from '../bus/places/places.ts'
import { then } from '../kit/maybe.ts'
import type { Pieces, Turns } from '../kit/turns.ts'
import type { Room } from '../state/model.ts'
import type { Rooms } from '../state/rooms.ts'
import { changeableRoom } from './changeable.ts'

/** What deleting a room needs. */
type DeleteRoomDeps = {
  readonly rooms: Rooms
  readonly places: Places
  readonly membership: Membership
  readonly endings: EndNotices
  readonly turns: Turns
}

/** `delete_room`: deletes a room without channels; room-wide subscriptions to it end. */
export const deleteRoom = ({ rooms, places, membership, endings, turns }: DeleteRoomDeps) =>
  command(commands.delete_room, ({ address }) => {
    const room = changeableRoom(places, address.room)
    if (room.channels.size > 0)
      throw new CodedError('room_not_empty', { room: room.name, channels: room.channels.size })
    endings.roomDeleted(room)
    // First, so that nobody joins it while its subscribers leave. Another room of its name has topics of its own.
    rooms.deleteRoom(room)
    return then(
      turns.run(() => leaveAll(membership, room)),
      () => ({ room: room.name, deleted: true }),
    )
  })

function* leaveAll(membership: Membership, room: Room): Pieces<void> {
  for (const client of room.wide) {
    membership.leaveRoom(client, room)
    yield
  }
}
