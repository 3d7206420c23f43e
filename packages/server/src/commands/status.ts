import { commands } from '@arqonbus/protocol'
import { visible } from '../auth/access.ts'
import { clientView, roomView } from '../state/views.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { firstOf } from './paginate.ts'

const MOST = 100

/** `status`: describes the bus. */
export const status = ({ directory, rooms, ...deps }: CommandDeps) =>
  command(commands.status, ({ identity }) => {
    // For the list of rooms, and as much for that of clients.
    const maxBytes = deps.maxListBytes / 2
    const seen = visible(identity)
    const listed = Iterator.from(directory.after(0)).filter(({ id }) => seen.client(id))
    return {
      server: deps.server(),
      storage: deps.storage(),
      totals: {
        connections: deps.connections(),
        clients: directory.size,
        rooms: rooms.size,
        channels: rooms.channelCount,
        participants: deps.subscriptions.count,
      },
      rooms: firstOf(rooms.all(), (room) => roomView(room, identity, directory.countInRoom(room)), MOST, maxBytes),
      clients_by_type: { ...directory.countByType() },
      clients: firstOf(listed, (client) => clientView(client, identity, deps.clock), MOST, maxBytes),
    }
  })
