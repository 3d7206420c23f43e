import { CodedError } from '@arqonbus/protocol'
import type { Room } from '../state/model.ts'

/** Throws `room_paused` where messages to a room are refused. */
export function refusePaused(room: Room | undefined): void {
  if (room?.state === 'paused') throw new CodedError('room_paused', { room: room.name })
}
