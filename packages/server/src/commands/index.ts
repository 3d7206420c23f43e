/** All commands: the folder is the list, and this file hands each what it needs. */

import type { EndNotices } from '../delivery/end-notices.ts'
import type { FairQueue } from '../kit/fair-queue.ts'
import type { Persistence } from '../persistence/persistence.ts'
import type { RoomResolver } from '../state/resolve.ts'
import type { Sessions } from '../state/sessions.ts'
import type { Join } from '../subscriptions/join.ts'
import type { Membership } from '../subscriptions/subscriptions.ts'
import { asked, askedWhole } from './asked.ts'
import { channelInfo } from './channel-info.ts'
import type { Command } from './command.ts'
import { type CreateDeps, createChannel } from './create-channel.ts'
import { deleteChannel } from './delete-channel.ts'
import { deleteRoom } from './delete-room.ts'
import { disconnectClient } from './disconnect-client.ts'
import { type HistoryDeps, history } from './history.ts'
import { joinChannel } from './join-channel.ts'
import { leaveChannel } from './leave-channel.ts'
import { listChannels } from './list-channels.ts'
import { listClients } from './list-clients.ts'
import { pauseRoom } from './pause-room.ts'
import { kept } from './persisted.ts'
import { ping } from './ping.ts'
import { resumeRoom } from './resume-room.ts'
import { type StatusDeps, status } from './status.ts'
import { updateProfile } from './update-profile.ts'

/** What all commands together need. */
export type CommandDeps = CreateDeps &
  HistoryDeps &
  Omit<StatusDeps, 'isOpen' | 'subscriptions'> & {
    readonly places: RoomResolver
    readonly membership: Membership
    readonly sessions: Sessions
    readonly endings: EndNotices
    readonly join: Join
    readonly turns: FairQueue
    /** Where rooms and channels are kept over restarts; undefined where they are not. */
    readonly persistence: Persistence | undefined
    readonly disconnect: Parameters<typeof disconnectClient>[1]
  }

/** The commands of a bus. */
export function createCommands(deps: CommandDeps): readonly Command[] {
  const { rooms, clients, places, membership, persistence, maxListBytes } = deps
  return [
    ping,
    // No authentication yet: everybody may see everybody. `status` has two lists.
    status({ ...deps, isOpen: true, subscriptions: () => membership.subscriptions, maxListBytes: maxListBytes / 2 }),
    askedWhole(persistence, listChannels(rooms, places, maxListBytes)),
    asked(persistence, listClients(clients, places, deps.clock, maxListBytes)),
    asked(persistence, channelInfo(places, maxListBytes)),
    joinChannel(deps.join, deps.turns),
    leaveChannel(deps),
    asked(persistence, history(deps)),
    kept(persistence, asked(persistence, createChannel(deps))),
    kept(persistence, asked(persistence, deleteChannel(rooms, places))),
    updateProfile(deps.clock, ({ id }) => persistence?.sessionChanged(id)),
    kept(persistence, asked(persistence, pauseRoom(rooms, places))),
    kept(persistence, asked(persistence, resumeRoom(rooms, places))),
    kept(persistence, askedWhole(persistence, deleteRoom(deps))),
    disconnectClient(clients, deps.disconnect),
  ]
}
