import { commands } from '@arqonbus/protocol'
import { command } from '../bus/call/call.ts'
import type { Places } from '../bus/places/places.ts'
import { mayEnter } from '../state/model.ts'
import type { Rooms } from '../state/rooms.ts'
import { channelView } from '../state/views.ts'
import { pageOf } from './pages.ts'

/** `list_channels`: the channels that one may see, of the bus or of one room. */
export const listChannels = (rooms: Rooms, places: Places, maxListBytes: number) =>
  command(commands.list_channels, ({ parameters: { room, cursor, limit }, asker }) => {
    const all = room === undefined ? rooms.channels() : places.room(room).channels.values()
    const visible = [...all].filter((channel) => mayEnter(channel, asker))
    const page = pageOf(visible, channelView, { cursor, limit, maxBytes: maxListBytes })
    return { channels: page.entries, cursor: page.cursor }
  })
