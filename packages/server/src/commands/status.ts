import { type CommandResult, commands } from '@arqonbus/protocol'
import { visible } from '../auth/access.ts'
import type { Directory } from '../cluster/cluster.ts'
import type { Clock } from '../kit/clock.ts'
import type { Rooms } from '../state/rooms.ts'
import { clientView, roomView } from '../state/views.ts'
import { command } from './command.ts'
import { firstOf } from './paginate.ts'

/** What `status` reports on. */
export type StatusDeps = {
  readonly directory: Directory
  readonly rooms: Rooms
  readonly clock: Clock
  /** What the server knows of itself. */
  readonly server: () => CommandResult<'status'>['server']
  readonly storage: () => CommandResult<'status'>['storage']
  readonly connections: () => number
  readonly subscriptions: () => number
  /** The list of rooms, and that of clients, take this many bytes at most. */
  readonly maxListBytes: number
}

const MOST = 100

/** `status`: describes the bus. */
export const status = ({ directory, rooms, ...deps }: StatusDeps) =>
  command(commands.status, ({ identity }) => {
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
        participants: deps.subscriptions(),
      },
      rooms: firstOf(
        rooms.all(),
        (room) => roomView(room, identity, directory.countInRoom(room)),
        MOST,
        deps.maxListBytes,
      ),
      clients_by_type: { ...directory.countByType() },
      clients: firstOf(listed, (client) => clientView(client, identity, deps.clock), MOST, deps.maxListBytes),
    }
  })
