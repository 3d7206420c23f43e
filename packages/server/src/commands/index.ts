/** The implementation of each declared command. */

import { afterStored } from './after-stored.ts'
import { channelInfo } from './channel-info.ts'
import type { Commands } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { createChannel } from './create-channel.ts'
import { deleteChannel } from './delete-channel.ts'
import { deleteMessage } from './delete-message.ts'
import { deleteRoom } from './delete-room.ts'
import { disconnectClient } from './disconnect-client.ts'
import { history } from './history.ts'
import { joinChannel } from './join-channel.ts'
import { leaveChannel } from './leave-channel.ts'
import { listChannels } from './list-channels.ts'
import { listClients } from './list-clients.ts'
import { listCommands } from './list-commands.ts'
import { listRooms } from './list-rooms.ts'
import { invite, removeMember } from './members.ts'
import { pauseRoom } from './pause-room.ts'
import { ping } from './ping.ts'
import { presenceOf } from './presence-of.ts'
import { reload } from './reload.ts'
import { authenticate } from './renew-token.ts'
import { resumeRoom } from './resume-room.ts'
import { revoke } from './revoke-token.ts'
import { setPresence } from './set-presence.ts'
import { status } from './status.ts'
import { updateProfile } from './update-profile.ts'
import { withLoadedRoom, withLoadedTarget } from './with-loaded.ts'

/** Implements the commands of a bus. */
export function createCommands(deps: CommandDeps): Commands {
  const { persistence } = deps
  return {
    ping,
    status: status(deps),
    list_commands: listCommands(deps),
    list_rooms: withLoadedRoom(persistence, listRooms(deps)),
    list_channels: withLoadedRoom(persistence, listChannels(deps)),
    list_clients: withLoadedTarget(persistence, listClients(deps)),
    channel_info: withLoadedTarget(persistence, channelInfo(deps)),
    join_channel: joinChannel(deps),
    leave_channel: leaveChannel(deps),
    history: withLoadedTarget(persistence, history(deps)),
    presence: withLoadedTarget(persistence, presenceOf(deps)),
    set_presence: withLoadedTarget(persistence, setPresence(deps)),
    create_channel: afterStored(persistence, withLoadedTarget(persistence, createChannel(deps))),
    delete_channel: afterStored(persistence, withLoadedTarget(persistence, deleteChannel(deps))),
    delete_message: withLoadedTarget(persistence, deleteMessage(deps)),
    invite: afterStored(persistence, withLoadedTarget(persistence, invite(deps))),
    remove_member: afterStored(persistence, withLoadedTarget(persistence, removeMember(deps))),
    update_profile: updateProfile(deps),
    pause_room: afterStored(persistence, withLoadedTarget(persistence, pauseRoom(deps))),
    resume_room: afterStored(persistence, withLoadedTarget(persistence, resumeRoom(deps))),
    delete_room: afterStored(persistence, withLoadedRoom(persistence, deleteRoom(deps))),
    disconnect_client: disconnectClient(deps),
    reload: reload(deps),
    authenticate: authenticate(deps),
    revoke: revoke(deps),
  }
}
