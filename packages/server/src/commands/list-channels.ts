import { commands } from '@arqonbus/protocol'
import { visible } from '../auth/access.ts'
import type { Directory } from '../cluster/cluster.ts'
import type { Channel } from '../state/model.ts'
import type { RoomResolver } from '../state/resolve.ts'
import type { Rooms } from '../state/rooms.ts'
import { channelView } from '../state/views.ts'
import { command } from './command.ts'
import { pageOf } from './paginate.ts'

/** What `list_channels` needs. */
export type ListChannelsDeps = {
  readonly rooms: Rooms
  readonly resolver: RoomResolver
  readonly directory: Pick<Directory, 'countInChannel'>
  /** Maximum bytes of the list. */
  readonly maxListBytes: number
}

/** `list_channels`: the channels that one may see, of the bus or of one room. */
export const listChannels = ({ rooms, resolver, directory, maxListBytes }: ListChannelsDeps) =>
  command(commands.list_channels, ({ parameters: { room, cursor, limit }, identity }) => {
    const inRoom = room === undefined ? undefined : resolver.room(room).channelsInOrder
    const page = pageOf(
      {
        after: (seq) => (inRoom === undefined ? rooms.channelsAfter(seq) : inRoom.after(seq)),
        view: (channel: Channel) => channelView(channel, directory.countInChannel(channel)),
        fits: visible(identity).channel,
        maxBytes: maxListBytes,
      },
      { cursor, limit },
    )
    return { channels: page.entries, cursor: page.cursor }
  })
