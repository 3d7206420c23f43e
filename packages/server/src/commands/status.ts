import { commands } from '@arqonbus/protocol'
import { visible } from '../auth/access.ts'
import type { Room } from '../state/model.ts'
import { clientView, roomView, type ViewedClient } from '../state/views.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { pageOf } from './paginate.ts'

/** Rooms, and clients, that it lists at most. */
const limit = 100

/** `status`: describes the bus. */
export const status = ({ directory, rooms, clock, ...deps }: CommandDeps) =>
  command(commands.status, ({ identity }) => {
    const figures = deps.figures()
    // For the list of rooms, and as much for that of clients.
    const page = { maxBytes: (deps.maxListBytes - figures.bytes) / 2, mayBeEmpty: true }
    const seen = visible(identity)
    const listedRooms = pageOf(
      {
        after: (seq) => rooms.roomsAfter(seq),
        view: (room: Room) => roomView(room, identity, directory.countInRoom(room)),
        ...page,
      },
      { limit },
    )
    const listedClients = pageOf(
      {
        after: directory.after,
        view: (client: ViewedClient) => clientView(client, identity, clock),
        fits: ({ id }) => seen.client(id),
        ...page,
      },
      { limit },
    )
    return {
      server: deps.server(),
      storage: deps.storage(),
      totals: {
        connections: deps.connections(),
        streams: directory.streams,
        clients: directory.size,
        rooms: rooms.size,
        channels: rooms.channelCount,
        participants: deps.subscriptions.count,
      },
      attention: figures.attention,
      limits: figures.limits,
      refusals: figures.refusals,
      rooms: listedRooms.entries,
      rooms_cursor: listedRooms.cursor,
      clients_by_type: { ...directory.countByType() },
      clients: listedClients.entries,
      clients_cursor: listedClients.cursor,
    }
  })
