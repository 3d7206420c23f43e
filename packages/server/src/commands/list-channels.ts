import { commands } from '@arqonbus/protocol'
import { visible } from '../auth/access.ts'
import type { RoomResolver } from '../state/resolve.ts'
import type { Rooms } from '../state/rooms.ts'
import { channelView } from '../state/views.ts'
import { command } from './command.ts'
import { pageOf } from './paginate.ts'

/** `list_channels`: the channels that one may see, of the bus or of one room. */
export const listChannels = (rooms: Rooms, places: RoomResolver, maxListBytes: number) =>
  command(commands.list_channels, ({ parameters: { room, cursor, limit }, identity }) => {
    const inRoom = room === undefined ? undefined : places.room(room).inOrder
    const page = pageOf(
      {
        after: (seq) => (inRoom === undefined ? rooms.channelsAfter(seq) : inRoom.after(seq)),
        view: channelView,
        fits: visible(identity).channel,
        maxBytes: maxListBytes,
      },
      { cursor, limit },
    )
    return { channels: page.entries, cursor: page.cursor }
  })
