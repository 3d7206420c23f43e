import { authorize } from '../auth/access.ts'
import type { Identity } from '../auth/identity.ts'
import type { Room } from '../state/model.ts'
import type { RoomResolver } from '../state/resolve.ts'

/** The room of a command that changes it; a system room is never changed (`room_not_found`, `room_hardcoded`). */
export function changeableRoom(resolver: RoomResolver, name: string, identity: Identity): Room {
  const room = resolver.room(name)
  authorize(identity, 'change', room)
  return room
}
