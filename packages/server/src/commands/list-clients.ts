import { commands, WHOLE_ROOM } from '@arqonbus/protocol'
import { visible } from '../auth/access.ts'
import type { Identity } from '../auth/identity.ts'
import type { Directory, Members } from '../cluster/cluster.ts'
import { chain, type Maybe } from '../kit/maybe.ts'
import { listedClientView, type ViewedClient } from '../state/views.ts'
import { addressOf } from './address.ts'
import { command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { invalidParameter } from './invalid-parameter.ts'
import { pageOf } from './paginate.ts'

/** `list_clients`: the clients of the bus, or of one channel. */
export const listClients = (deps: CommandDeps) =>
  command(commands.list_clients, ({ parameters, identity }) => {
    const { directory, clock, maxListBytes } = deps
    const { cursor, limit } = parameters
    const seen = visible(identity)
    return chain(membersOf(parameters, deps, identity), (members) => {
      const page = pageOf(
        {
          after: (seq) => (members === undefined ? directory.after(seq) : membersAfter(seq, members, directory)),
          view: (client) => listedClientView(client, identity, clock),
          fits: (client) => members?.has(client) !== false && seen.client(client.id),
          steps: ({ channels, rooms, implied }) => channels.size + (channels.size + rooms.size + implied.size) / LIGHT,
          maxBytes: maxListBytes,
        },
        { cursor, limit },
      )
      return { clients: page.entries, cursor: page.cursor }
    })
  })

/**
 * Looking whether a subscription is catching up is this many times faster than looking whether its channel may be
 * named.
 */
const LIGHT = 4

/** Up to this number members are sorted; for more, searching all clients takes less time. */
const FEW = 500

/** The members among whom a page is found, oldest connection first. */
function membersAfter(seq: number, members: Members, directory: Directory): Iterable<ViewedClient> {
  if (members.size > FEW) return directory.after(seq)
  return Array.from(members.keys())
    .filter((client) => client.seq > seq)
    .sort((a, b) => a.seq - b.seq)
}

/** Without an address all clients, undefined: that of the envelope does not count here. */
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
