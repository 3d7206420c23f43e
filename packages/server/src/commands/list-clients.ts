import { CodedError, commands, WHOLE_ROOM } from '@arqonbus/protocol'
import { visible } from '../auth/access.ts'
import type { Identity } from '../auth/identity.ts'
import type { Clock } from '../kit/clock.ts'
import type { Clients } from '../state/clients.ts'
import type { Client } from '../state/model.ts'
import type { RoomResolver } from '../state/resolve.ts'
import { listedClientView } from '../state/views.ts'
import { addressOf } from './address.ts'
import { command } from './command.ts'
import { pageOf } from './paginate.ts'

/** `list_clients`: the clients of the bus, or of one channel. */
export const listClients = (clients: Clients, places: RoomResolver, clock: Clock, maxListBytes: number) =>
  command(commands.list_clients, ({ parameters, identity }) => {
    const { cursor, limit } = parameters
    const seen = visible(identity)
    const members = membersOf(parameters, places, identity)
    const page = pageOf(
      {
        after: (seq) => (members === undefined ? clients.after(seq) : membersAfter(seq, members, clients)),
        view: (client) => listedClientView(client, identity, clock),
        fits: (client) => members?.has(client) !== false && seen.client(client.id),
        steps: (client) => client.channels.size + client.listening.size / LIGHT,
        maxBytes: maxListBytes,
      },
      { cursor, limit },
    )
    return { clients: page.entries, cursor: page.cursor }
  })

/** To look whether a client is behind in something is so many times faster than to look whether it may be named. */
const LIGHT = 4

/** So many members are sorted; to find more of them among all clients takes less. */
const FEW = 500

/** The members among whom a page is found, oldest connection first. */
function membersAfter(seq: number, members: Members, clients: Clients): Iterable<Client> {
  if (members.size > FEW) return clients.after(seq)
  return Array.from(members.keys())
    .filter((client) => client.seq > seq)
    .sort((a, b) => a.seq - b.seq)
}

type Members = Pick<ReadonlySet<Client>, 'size' | 'has' | 'keys'>

/** Without an address all clients, undefined: that of the envelope does not count here. */
function membersOf(
  parameters: { room?: string; channel?: string },
  places: RoomResolver,
  identity: Identity,
): Members | undefined {
  if (parameters.room === undefined && parameters.channel === undefined) return undefined
  const { room, channel } = addressOf(parameters, { room: '', channel: WHOLE_ROOM })
  if (room === '')
    throw new CodedError('invalid_parameters', { path: '/parameters/room', expected: 'the room of the channel' })
  return channel === WHOLE_ROOM ? places.room(room).present : places.channel(room, channel, identity).participants
}
