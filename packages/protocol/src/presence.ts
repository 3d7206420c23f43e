/** Who is in a channel or a room: members, their lists, and their status (docs/protocol.md#presence). */
import Type, { type Static } from 'typebox'
import { Client, profileFields } from './entities.ts'
import { ClientId, JsonObject } from './envelope/schema.ts'

/** What a status takes at most, as JSON. */
export const MAX_STATUS_BYTES = 1024

/** With more members than this, presence events have only their number. */
export const MOST_LISTED_MEMBERS = 500

/** One member of a channel or a room. */
export const PresenceMember = Type.Object({
  client_id: Type.String({ ...ClientId, description: 'The client.' }),
  client_type: Client.properties.client_type,
  screen_name: Type.Optional(profileFields.screen_name),
  status: Type.Optional(
    Type.Unsafe<Record<string, unknown>>({
      ...JsonObject,
      description: 'The status that the client has set for the channel, or else for all of its channels.',
    }),
  ),
})

/** One member of a channel or a room. */
export type PresenceMember = Static<typeof PresenceMember>

const count = Type.Integer({ minimum: 0, description: 'How many members there are.' })
const cursor = (description: string) => Type.Optional(Type.String({ maxLength: 256, description }))

/** The fields of a list of members. */
export const PresenceList = {
  count,
  members: Type.Optional(
    Type.Array(PresenceMember, {
      description: `The members, as many as the frame holds. Absent where there are more than ${MOST_LISTED_MEMBERS}: then presence events have only their number.`,
    }),
  ),
  cursor: cursor('With it the command `presence` goes on. Absent where these are all members.'),
}

/** The payload of a presence event: who came, who left, and whose status has changed. */
export const Presence = Type.Object({
  event: Type.Literal('presence'),
  count,
  joined: Type.Optional(
    Type.Array(PresenceMember, {
      description: 'New members. One that is known already replaces what was known of it.',
    }),
  ),
  left: Type.Optional(
    Type.Array(Type.String({ ...ClientId, description: 'The client.' }), { description: 'Members that are gone.' }),
  ),
  updated: Type.Optional(Type.Array(PresenceMember, { description: 'Members whose status or profile has changed.' })),
  reset: Type.Optional(
    Type.Literal(true, {
      description: 'Present where `joined` is the list of members as it is now: what was known before is void.',
    }),
  ),
  cursor: cursor('With `reset`, where the frame does not hold all members: the command `presence` goes on with it.'),
})

/** The payload of a presence event. */
export type Presence = Static<typeof Presence>
