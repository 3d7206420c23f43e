import { type CommandResult, commands } from '@arqonbus/protocol'
import type { Clock } from '../kit/clock.ts'
import type { Clients } from '../state/clients.ts'
import { type Client, mayEnter } from '../state/model.ts'
import type { Rooms } from '../state/rooms.ts'
import { clientView, roomView } from '../state/views.ts'
import { command } from './command.ts'
import { firstOf } from './paginate.ts'

/** What `status` tells of. */
export type StatusDeps = {
  readonly clients: Clients
  readonly rooms: Rooms
  readonly clock: Clock
  /** What the server knows of itself. */
  readonly server: () => CommandResult<'status'>['server']
  readonly storage: () => CommandResult<'status'>['storage']
  readonly connections: () => number
  readonly subscriptions: () => number
  /** True where everybody may see everybody: no authentication is on. */
  readonly isOpen: boolean
  /** The list of rooms, and that of clients, take so many bytes at most. */
  readonly maxListBytes: number
}

const MOST = 100

/** `status`: describes the bus. */
export const status = ({ clients, rooms, ...deps }: StatusDeps) =>
  command(commands.status, ({ asker }) => {
    const mayList = deps.isOpen || asker.isAdmin
    const all = Iterator.from(clients.all())
    const visible = mayList ? all : all.filter((client) => sharesChannel(client, asker))
    return {
      server: deps.server(),
      storage: deps.storage(),
      totals: {
        connections: deps.connections(),
        clients: clients.size,
        rooms: rooms.size,
        channels: rooms.channelCount,
        participants: deps.subscriptions(),
      },
      rooms: firstOf(rooms.all(), (room) => roomView(room, asker), MOST, deps.maxListBytes),
      clients_by_type: { ...clients.countByType() },
      clients: firstOf(visible, (client) => clientView(client, asker, deps.clock), MOST, deps.maxListBytes),
    }
  })

/** True where a client is in a channel that the asker may enter. */
function sharesChannel(client: Client, asker: { id: string; isAdmin: boolean }): boolean {
  for (const channel of client.channels) if (mayEnter(channel, asker)) return true
  return client.rooms.size > 0
}
