import { commands, WHOLE_ROOM } from '@arqonbus/protocol'
import { visible } from '../auth/access.ts'
import type { Identity } from '../auth/identity.ts'
import type { Directory, Members } from '../cluster/cluster.ts'
import { chain, type Maybe } from '../kit/maybe.ts'
import { listedClientView, type ViewedClient } from '../state/views.ts'
import { isSeenIn, seesAll } from '../state/visible-room.ts'
import { addressOf } from './address.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { invalidParameter } from './invalid-parameter.ts'
import { isBlindTo, type PageOf, pageInPieces, rankedFirst } from './paginate.ts'

/** `list_clients`: the clients of the bus, or of one channel. */
export const listClients = (deps: CommandDeps) =>
  command(commands.list_clients, ({ parameters, identity }) => {
    const { directory, clock, maxListBytes } = deps
    const { cursor, limit, order = 'oldest' } = parameters
    const isSeen = seenBy(identity, parameters, deps)
    return chain(membersOf(parameters, deps, identity), (members) => {
      const source: PageOf<ViewedClient> = {
        after: (seq) => (members === undefined ? directory.after(seq) : membersAfter(seq, members, directory)),
        view: (client) => listedClientView(client, identity, clock),
        fits: (client) => members?.has(client) !== false && isSeen(client),
        steps: ({ channels, rooms }) => channels.size + rooms.size,
        isBlind: isBlindTo(identity),
        maxBytes: maxListBytes,
      }
      const isThere = (client: ViewedClient) => (directory.find(client.id) as object | undefined) === client
      return chain(rankings[order](deps), (ranking) => {
        const page = deps.turns.run(() =>
          ranking === undefined
            ? pageInPieces(source, { cursor, limit })
            : pageInPieces(rankedFirst(source, ranking.filter(isThere)), { cursor, limit }),
        )
        return chain(page, ({ entries, cursor }) => ({ clients: entries, cursor }))
      })
    })
  })

/**
 * Which clients a viewer may be shown: of a channel all of them; of a room those that are in a channel of it which the
 * viewer may read; of the bus those that its grants name.
 */
function seenBy(
  viewer: Identity,
  parameters: { room?: string; channel?: string },
  { resolver }: CommandDeps,
): (client: ViewedClient) => boolean {
  if (parameters.room === undefined && parameters.channel === undefined) {
    const seen = visible(viewer)
    return ({ id }) => seen.client(id)
  }
  const address = addressOf(parameters, { room: '', channel: WHOLE_ROOM })
  if (address.channel !== WHOLE_ROOM) return () => true
  const room = resolver.room(address.room)
  return seesAll(viewer, room, 'presence') ? () => true : (client) => isSeenIn(viewer, room, client, 'presence')
}

/** Who comes first in each order; undefined where all are in the order in which they came. */
const rankings = {
  oldest: () => undefined,
  queue: ({ traffic }: CommandDeps) => traffic.longestQueues(),
  rate: ({ traffic }: CommandDeps) => traffic.busiestClients,
} satisfies Record<string, (deps: CommandDeps) => Maybe<readonly ViewedClient[] | undefined>>

/** Up to this number members are sorted; for more, searching all clients takes less time. */
const FEW = 500

/** The members among whom a page is found, oldest connection first. */
function membersAfter(seq: number, members: Members, directory: Directory): Iterable<ViewedClient> {
  if (members.size > FEW) return directory.after(seq)
  return Array.from(members.keys())
    .filter((client) => client.seq > seq)
    .sort((a, b) => a.seq - b.seq)
}

/** Undefined for all clients, where no address is given: that of the envelope is ignored. */
function membersOf(
  parameters: { room?: string; channel?: string },
  { directory, resolver }: CommandDeps,
  identity: Identity,
): Maybe<Members | undefined> {
  if (parameters.room === undefined && parameters.channel === undefined) return undefined
  const { room, channel } = addressOf(parameters, { room: '', channel: WHOLE_ROOM })
  if (room === '') throw invalidParameter('room', 'the room of the channel')
  if (channel === WHOLE_ROOM) return directory.inRoom(resolver.room(room))
  return chain(directory.inChannel(resolver.channel(room, channel, identity)), ({ participants }) => participants)
}
