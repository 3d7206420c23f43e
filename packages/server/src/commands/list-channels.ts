import { commands } from '@arqonbus/protocol'
import { visible } from '../auth/access.ts'
import { chain } from '../kit/maybe.ts'
import type { Channel } from '../state/model.ts'
import { listedChannelView } from '../state/views.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { isBlindTo, type PageOf, pageInPieces, rankedFirst } from './paginate.ts'

/** `list_channels`: the channels that one may see, of the bus or of one room. */
export const listChannels = ({ rooms, resolver, directory, traffic, turns, maxListBytes }: CommandDeps) =>
  command(commands.list_channels, ({ parameters: { room, cursor, limit, order }, identity }) => {
    const inRoom = room === undefined ? undefined : resolver.room(room)
    const source: PageOf<Channel> = {
      after: (seq) => (inRoom === undefined ? rooms.channelsAfter(seq) : inRoom.channelsInOrder.after(seq)),
      view: (channel) => listedChannelView(channel, directory.countInChannel(channel), traffic.rateOf(channel)),
      fits: visible(identity).channel,
      isBlind: isBlindTo(identity),
      maxBytes: maxListBytes,
    }
    const isListed = (channel: Channel) =>
      channel.ended === undefined && (inRoom === undefined || channel.room === inRoom)
    const page = turns.run(() =>
      order === 'rate'
        ? pageInPieces(rankedFirst(source, traffic.busiestChannels.filter(isListed)), { cursor, limit })
        : pageInPieces(source, { cursor, limit }),
    )
    return chain(page, ({ entries, cursor }) => ({ channels: entries, cursor }))
  })
