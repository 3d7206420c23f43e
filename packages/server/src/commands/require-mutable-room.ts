import { authorize } from '../auth/access.ts'
import type { Identity } from '../auth/identity.ts'
import { chain } from '../kit/maybe.ts'
import type { Room } from '../state/model.ts'
import type { RoomResolver } from '../state/resolve.ts'
import type { CommandCall } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { roomFor } from './rooms-page.ts'

/** The room of a command that changes it; a system room is never changed (`room_not_found`, `room_hardcoded`). */
export function changeableRoom(resolver: RoomResolver, name: string, identity: Identity): Room {
  const room = resolver.room(name)
  authorize(identity, 'change', room)
  return room
}

/** Puts the room of a command into a state; the result shows the room. */
export function setRoomState(deps: CommandDeps, { address, identity }: CommandCall, state: Room['state']) {
  const room = changeableRoom(deps.resolver, address.room, identity)
  deps.rooms.setState(room, state)
  return chain(roomFor(deps, identity, room), (room) => ({ room }))
}
