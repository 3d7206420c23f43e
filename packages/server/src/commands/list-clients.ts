import { CodedError, commands, WHOLE_ROOM } from '@arqonbus/protocol'
import { addressOf } from '../bus/call/address.ts'
import { command } from '../bus/call/call.ts'
import type { Asker, Places } from '../bus/places/places.ts'
import type { Clock } from '../kit/clock.ts'
import type { Clients } from '../state/clients.ts'
import type { Client } from '../state/model.ts'
import { listedClientView } from '../state/views.ts'
import { pageOf } from './pages.ts'

/** `list_clients`: the clients of the bus, or of one channel. */
export const listClients = (clients: Clients, places: Places, clock: Clock, maxListBytes: number) =>
  command(commands.list_clients, ({ parameters, asker }) => {
    const { cursor, limit } = parameters
    const page = pageOf(
      membersOf(parameters, clients, places, asker),
      (client) => listedClientView(client, asker, clock),
      {
        cursor,
        limit,
        maxBytes: maxListBytes,
      },
    )
    return { clients: page.entries, cursor: page.cursor }
  })

/** Without an address all clients: that of the envelope does not count here. */
function membersOf(
  parameters: { room?: string; channel?: string },
  clients: Clients,
  places: Places,
  asker: Asker,
): Iterable<Client> {
  if (parameters.room === undefined && parameters.channel === undefined) return clients.all()
  const { room, channel } = addressOf(parameters, { room: '', channel: WHOLE_ROOM })
  if (room === '')
    throw new CodedError('invalid_parameters', { path: '/parameters/room', expected: 'the room of the channel' })
  const members =
    channel === WHOLE_ROOM ? places.room(room).present.keys() : places.channel(room, channel, asker).participants
  return [...members].sort((a, b) => a.seq - b.seq)
}
