/** The implementation of each declared command, with what it needs. */

import type { Announcer } from '../cluster/cluster.ts'
import type { EndNotices } from '../delivery/end-notices.ts'
import type { FairQueue } from '../kit/fair-queue.ts'
import type { Persistence } from '../persistence/persistence.ts'
import type { RoomResolver } from '../state/resolve.ts'
import type { Sessions } from '../state/sessions.ts'
import type { Join } from '../subscriptions/join.ts'
import type { Subscriptions } from '../subscriptions/subscriptions.ts'
import { afterStored } from './after-stored.ts'
import { channelInfo } from './channel-info.ts'
import type { Commands } from './command.ts'
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
import { ping } from './ping.ts'
import { resumeRoom } from './resume-room.ts'
import { type StatusDeps, status } from './status.ts'
import { updateProfile } from './update-profile.ts'
import { withLoadedRoom, withLoadedTarget } from './with-loaded.ts'

/** What all commands together need. */
export type CommandDeps = CreateDeps &
  HistoryDeps &
  Omit<StatusDeps, 'subscriptions'> & {
    readonly resolver: RoomResolver
    readonly subscriptions: Subscriptions
    readonly sessions: Sessions
    readonly endings: EndNotices
    readonly join: Join
    readonly turns: FairQueue
    /** Where rooms and channels are kept over restarts; undefined where they are not. */
    readonly persistence: Persistence | undefined
    readonly announcer: Announcer
  }

/** Implements the commands of a bus. */
export function createCommands(deps: CommandDeps): Commands {
  const { resolver, directory, subscriptions, persistence, maxListBytes } = deps
  return {
    ping,
    // It has two lists.
    status: status({ ...deps, subscriptions: () => subscriptions.count, maxListBytes: maxListBytes / 2 }),
    list_channels: withLoadedRoom(persistence, listChannels(deps)),
    list_clients: withLoadedTarget(persistence, listClients(deps)),
    channel_info: withLoadedTarget(persistence, channelInfo(resolver, directory, maxListBytes)),
    join_channel: joinChannel(deps.join, deps.turns),
    leave_channel: leaveChannel(deps),
    history: withLoadedTarget(persistence, history(deps)),
    create_channel: afterStored(persistence, withLoadedTarget(persistence, createChannel(deps))),
    delete_channel: afterStored(persistence, withLoadedTarget(persistence, deleteChannel(deps))),
    update_profile: updateProfile(deps.clock, ({ id }) => persistence?.sessionChanged(id)),
    pause_room: afterStored(persistence, withLoadedTarget(persistence, pauseRoom(deps))),
    resume_room: afterStored(persistence, withLoadedTarget(persistence, resumeRoom(deps))),
    delete_room: afterStored(persistence, withLoadedRoom(persistence, deleteRoom(deps))),
    disconnect_client: disconnectClient(deps),
  }
}
