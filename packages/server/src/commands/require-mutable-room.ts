import { CodedError } from '@arqonbus/protocol'
import type { Room } from '../state/model.ts'
import type { RoomResolver } from '../state/resolve.ts'

/** The room of a command that changes it; nobody changes a system room (`room_not_found`, `room_hardcoded`). */
export function changeableRoom(places: RoomResolver, name: string): Room {
  const room = places.room(name)
  if (room.type === 'system') throw new CodedError('room_hardcoded', { room: name })
  return room
}
