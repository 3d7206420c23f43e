import { type Attention, commands, type RefusedFrames } from '@arqonbus/protocol'
import { visible } from '../auth/access.ts'
import type { Identity } from '../auth/identity.ts'
import { RawJson } from '../kit/raw-json.ts'
import { clientView, type ViewedClient } from '../state/views.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { isBlindTo, pageInPieces } from './paginate.ts'
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
  const isBlind = isBlindTo(identity)
  const isShown = visible(identity).client
  const { totals, clientsByType } = yield* visibleTotals(deps, identity)
  return {
    server: deps.server(),
    storage: deps.storage(),
    totals,
    attention: isBlind ? withoutOthers<Attention>(figures.attention, 'subject', isShown) : figures.attention,
    limits: figures.limits,
    refusals: isBlind ? withoutOthers<RefusedFrames>(figures.refusals, 'client_id', isShown) : figures.refusals,
    ...listed.rooms,
    clients_by_type: clientsByType,
    ...listed.clients,
  }
}

/** Figures without the names of clients that their reader may not see. */
function withoutOthers<Figure extends Attention | RefusedFrames>(
  figures: RawJson,
  field: keyof Figure & string,
  isShown: (clientId: string) => boolean,
): RawJson {
  const all = JSON.parse(figures.text) as (Figure & { readonly code: string })[]
  const isNamed = (one: Figure & { readonly code: string }) => field === 'client_id' || one.code === 'rate_limited'
  return RawJson.of(
    all.map((one) => {
      const name = one[field]
      return typeof name === 'string' && isNamed(one) && !isShown(name) ? { ...one, [field]: undefined } : one
    }),
  )
}

const noLists = { rooms: { rooms: [] }, clients: { clients: [] } }

/** The first rooms and clients, in so many bytes. */
function* listRoomsAndClients(deps: CommandDeps, identity: Identity, bytes: number) {
  const { directory, clock } = deps
  const page = { maxBytes: bytes / 2, mayBeEmpty: true }
  const seen = visible(identity)
  const roomPage = yield* roomsPage(deps, identity, { limit, ...page })
  const clientPage = yield* pageInPieces(
    {
      after: directory.after,
      view: (client: ViewedClient) => clientView(client, identity, clock),
      fits: ({ id }) => seen.client(id),
      isBlind: isBlindTo(identity),
      ...page,
    },
    { limit },
  )
  return {
    rooms: { rooms: roomPage.entries, rooms_cursor: roomPage.cursor },
    clients: { clients: clientPage.entries, clients_cursor: clientPage.cursor },
  }
}
