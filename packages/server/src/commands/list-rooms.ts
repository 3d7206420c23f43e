import { commands } from '@arqonbus/protocol'
import type { Room } from '../state/model.ts'
import { roomView, roomViewSteps } from '../state/views.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { pageOf } from './paginate.ts'

/** `list_rooms`: the rooms of the bus, or one of them. */
export const listRooms = ({ rooms, resolver, directory, maxListBytes }: CommandDeps) =>
  command(commands.list_rooms, ({ parameters: { room, cursor, limit }, identity }) => {
    const one = room === undefined ? undefined : resolver.room(room)
    const page = pageOf(
      {
        after: (seq) => (one === undefined ? rooms.roomsAfter(seq) : one.seq > seq ? [one] : []),
        view: (room: Room) => roomView(room, identity, directory.countInRoom(room)),
        steps: roomViewSteps,
        maxBytes: maxListBytes,
      },
      { cursor, limit },
    )
    return { rooms: page.entries, cursor: page.cursor }
  })
