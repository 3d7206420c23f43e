import { commands } from '@arqonbus/protocol'
import { visible } from '../auth/access.ts'
import type { Channel } from '../state/model.ts'
import { channelView } from '../state/views.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { pageOf } from './paginate.ts'

/** `list_channels`: the channels that one may see, of the bus or of one room. */
export const listChannels = ({ rooms, resolver, directory, maxListBytes }: CommandDeps) =>
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
