import { commands } from '@arqonbus/protocol'
import { visible } from '../auth/access.ts'
import type { Identity } from '../auth/identity.ts'
import { clientView, type ViewedClient } from '../state/views.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { pageOf } from './paginate.ts'
import { roomsPage } from './rooms-page.ts'
import { visibleTotals } from './visible-totals.ts'

/** Rooms, and clients, that it lists at most. */
const limit = 100

/** `status`: describes the bus, as far as the requester may know it. */
export const status = (deps: CommandDeps) =>
  command(commands.status, ({ identity }) => deps.turns.run(() => describe(deps, identity)))

function* describe(deps: CommandDeps, identity: Identity) {
  const { directory, clock } = deps
  const figures = deps.figures()
  // For the list of rooms, and as much for that of clients.
  const page = { maxBytes: (deps.maxListBytes - figures.bytes) / 2, mayBeEmpty: true }
  const seen = visible(identity)
  const listedRooms = yield* roomsPage(deps, identity, { limit, ...page })
  const listedClients = pageOf(
    {
      after: directory.after,
      view: (client: ViewedClient) => clientView(client, identity, clock),
      fits: ({ id }) => seen.client(id),
      ...page,
    },
    { limit },
  )
  const { totals, clientsByType } = yield* visibleTotals(deps, identity)
  return {
    server: deps.server(),
    storage: deps.storage(),
    totals,
    attention: figures.attention,
    limits: figures.limits,
    refusals: figures.refusals,
    rooms: listedRooms.entries,
    rooms_cursor: listedRooms.cursor,
    clients_by_type: clientsByType,
    clients: listedClients.entries,
    clients_cursor: listedClients.cursor,
  }
}
