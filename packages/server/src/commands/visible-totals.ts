/** The totals of `status`, as far as the requester may know what they count. */
import { type ClientType, type CommandResult, clientTypes, type Pieces } from '@arqonbus/protocol'
import { may, visible } from '../auth/access.ts'
import type { Identity } from '../auth/identity.ts'
import { everything } from '../auth/permissions.ts'
import { zeros } from '../kit/zeros.ts'
import type { CommandDeps } from './command-deps.ts'

/** Totals, and clients by type. */
export type VisibleTotals = {
  readonly totals: CommandResult<'status'>['totals']
  readonly clientsByType: Record<ClientType, number>
}

/** Steps of one piece of work. */
const STEPS = 128

type TotalsDeps = Pick<CommandDeps, 'directory' | 'rooms' | 'subscriptions' | 'connections'>

/** Counts rooms, channels, clients and participants: of each only what the viewer may know. */
export function* visibleTotals(deps: TotalsDeps, viewer: Identity): Pieces<VisibleTotals> {
  if (viewer.role !== 'admin' && viewer.permissions !== everything) return yield* counted(deps, viewer)
  const { directory, rooms, subscriptions, connections } = deps
  const hidden = viewer.role === 'admin' ? { channels: 0, participants: 0 } : yield* hiddenIn(deps, viewer)
  const totals = {
    connections: connections(),
    streams: directory.streams,
    clients: directory.size,
    rooms: rooms.size,
    channels: rooms.channelCount - hidden.channels,
    participants: subscriptions.count - hidden.participants,
  }
  return { totals, clientsByType: { ...directory.countByType() } }
}

/** Private channels that a viewer without limits may not know, and their participants. */
function* hiddenIn({ rooms, directory }: TotalsDeps, viewer: Identity) {
  const hidden = { channels: 0, participants: 0 }
  let steps = 0
  for (const room of rooms.roomsAfter(0)) {
    if (++steps % STEPS === 0) yield
    for (const channel of room.restricted.after(0)) {
      if (++steps % STEPS === 0) yield
      if (may(viewer, 'find', channel)) continue
      hidden.channels++
      hidden.participants += directory.countInChannel(channel)
    }
  }
  return hidden
}

function* counted({ directory, rooms }: TotalsDeps, viewer: Identity): Pieces<VisibleTotals> {
  const seen = visible(viewer)
  const totals = { connections: 0, streams: 0, clients: 0, rooms: 0, channels: 0, participants: 0 }
  const clientsByType = zeros(clientTypes)
  let steps = 0
  for (const room of rooms.roomsAfter(0)) {
    if (++steps % STEPS === 0) yield
    if (!seen.room(room.name)) continue
    totals.rooms++
    totals.participants += room.roomSubscriptions.size
  }
  for (const channel of rooms.channelsAfter(0)) {
    if (++steps % STEPS === 0) yield
    if (!may(viewer, 'read', channel)) continue
    totals.channels++
    totals.participants += directory.countInChannel(channel)
  }
  for (const client of directory.after(0)) {
    if (++steps % STEPS === 0) yield
    if (!seen.client(client.id)) continue
    totals.clients++
    clientsByType[client.profile.clientType]++
    if (directory.find(client.id)?.kind === 'stream') totals.streams++
    else totals.connections++
  }
  return { totals, clientsByType }
}
