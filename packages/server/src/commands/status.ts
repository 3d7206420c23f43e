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
  command(commands.status, ({ parameters: { lists = true }, identity }) =>
    deps.turns.run(() => describe(deps, identity, lists)),
  )

function* describe(deps: CommandDeps, identity: Identity, isListing: boolean) {
  const figures = deps.figures()
  const listed = isListing ? yield* listRoomsAndClients(deps, identity, deps.maxListBytes - figures.bytes) : noLists
  const { totals, clientsByType } = yield* visibleTotals(deps, identity)
  return {
    server: deps.server(),
    storage: deps.storage(),
    totals,
    attention: figures.attention,
    limits: figures.limits,
    refusals: figures.refusals,
    ...listed.rooms,
    clients_by_type: clientsByType,
    ...listed.clients,
  }
}

const noLists = { rooms: { rooms: [] }, clients: { clients: [] } }

/** The first rooms and clients, in so many bytes. */
function* listRoomsAndClients(deps: CommandDeps, identity: Identity, bytes: number) {
  const { directory, clock } = deps
  const page = { maxBytes: bytes / 2, mayBeEmpty: true }
  const seen = visible(identity)
  const roomPage = yield* roomsPage(deps, identity, { limit, ...page })
  const clientPage = pageOf(
    {
      after: directory.after,
      view: (client: ViewedClient) => clientView(client, identity, clock),
      fits: ({ id }) => seen.client(id),
      ...page,
    },
    { limit },
  )
  return {
    rooms: { rooms: roomPage.entries, rooms_cursor: roomPage.cursor },
    clients: { clients: clientPage.entries, clients_cursor: clientPage.cursor },
  }
}
