/** Commands about rooms. */
import Type from 'typebox'
import { Room } from '../entities.ts'
import { RoomName } from '../envelope/schema.ts'
import { nextPage, pageFields, roomField } from './fields.ts'
import { command, parameters } from './shape.ts'

/** Lists the rooms. */
export const list_rooms = command('list_rooms', {
  summary: 'Lists the rooms, oldest first.',
  notes: [
    'Without `room` it lists all rooms: the room of the envelope is ignored.',
    'Of a room with many channels an entity names the first; `list_channels` with its name pages through them.',
    'A page may have fewer rooms than its `limit` where they have many channels.',
  ],
  grant: { at: 'listed', actions: ['join'] },
  parameters: parameters({
    room: Type.Optional(Type.String({ ...roomField.room, description: 'One room alone.' })),
    ...pageFields,
  }),
  result: Type.Object({ rooms: Type.Array(Room, { description: 'The rooms of this page.' }), ...nextPage }),
  rate_limited: true,
  errors: ['room_not_found', 'storage_unavailable'],
})

const ofRoom = { requires_admin: true, channel_scope: 'room' } as const

/** Refuses messages in a room. */
export const pause_room = command('pause_room', {
  summary: 'Pauses a room: messages to it are refused with `room_paused`, commands work.',
  notes: ['Pausing what is paused succeeds and changes nothing.'],
  grant: { at: 'room', actions: ['manage'] },
  parameters: parameters(roomField),
  result: Type.Object({ room: Room }),
  ...ofRoom,
  errors: ['room_not_found', 'room_hardcoded', 'storage_unavailable'],
})

/** Takes messages again. */
export const resume_room = command('resume_room', {
  summary: 'Lets messages to a paused room pass again.',
  notes: ['Resuming what is not paused succeeds and changes nothing.'],
  grant: { at: 'room', actions: ['manage'] },
  parameters: parameters(roomField),
  result: Type.Object({ room: Room }),
  ...ofRoom,
  errors: ['room_not_found', 'room_hardcoded', 'storage_unavailable'],
})

/** Deletes a room without channels. */
export const delete_room = command('delete_room', {
  summary: 'Deletes a room that has no channels left, active or paused.',
  notes: [
    'Room-wide subscriptions to it end, with a `subscription_ended` notice.',
    'A paused room is deleted by admins and clients with the grant `manage` alone: otherwise its creator could lift the pause by creating it again.',
  ],
  who: 'Its creator, admins, and clients with the grant `manage`.',
  grant: { at: 'room', actions: ['create', 'manage'] },
  parameters: parameters(roomField),
  result: Type.Object({ room: RoomName, deleted: Type.Literal(true) }),
  channel_scope: 'room',
  errors: ['forbidden', 'room_not_found', 'room_hardcoded', 'room_not_empty', 'room_paused', 'storage_unavailable'],
})
