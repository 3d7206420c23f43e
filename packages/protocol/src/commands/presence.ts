/** Commands about who is in a channel or a room. */
import Type from 'typebox'
import { JsonObject } from '../envelope/schema.ts'
import { MAX_STATUS_BYTES, MOST_LISTED_MEMBERS, PresenceMember } from '../presence.ts'
import { AddressText, addressFields, nextPage, pageFields } from './fields.ts'
import { command, parameters } from './shape.ts'

/** How long the presence of a client without a connection may last, in milliseconds. */
export const PRESENCE_TTL_MS = { least: 1000, most: 3_600_000 } as const

/** Lists the members of a channel or a room. */
export const presence = command('presence', {
  summary: 'Lists the members of a channel, or of a whole room (`*`), with their status.',
  notes: [
    'The members of a channel are its participants, and clients that set their presence there by HTTP; those of a room are all clients with a join in it. Invisible joins do not count.',
    `It lists any number of members; presence events name them up to ${MOST_LISTED_MEMBERS}.`,
    'Clients that are connected come first, oldest connection first. A page with a `cursor` may be short, or empty.',
  ],
  who: 'Every client; of a private channel its creator, its `metadata.members` and admins.',
  parameters: parameters({ ...addressFields, ...pageFields }),
  result: Type.Object({
    channel: AddressText,
    count: Type.Integer({ minimum: 0, description: 'How many members there are.' }),
    members: Type.Array(PresenceMember, { description: 'The members of this page.' }),
    ...nextPage,
  }),
  channel_scope: 'channel',
  grant: { at: 'address', actions: ['presence'] },
  rate_limited: true,
  errors: ['forbidden', 'system_channel', 'room_not_found', 'channel_not_found', 'storage_unavailable'],
})

/** Sets the status of a client. */
export const set_presence = command('set_presence', {
  summary: 'Sets or clears what presence shows of the requester: its status.',
  notes: [
    'With `channel` the status is for that channel or room, which the client has joined; without, for all of its channels that have no status of their own.',
    'A status ends when the client leaves the channel, or is gone for longer than `ARQONBUS_PRESENCE_GRACE`.',
    'A client without a connection sets its presence by HTTP, with `channel` and `ttl_ms`: it is a member of that channel for so long, or until it sets `ttl_ms` to 0.',
    'Its rate is `ARQONBUS_PRESENCE_RATE`, ten a second by default.',
  ],
  parameters: parameters({
    ...addressFields,
    status: Type.Union([Type.Unsafe<Record<string, unknown>>({ ...JsonObject }), Type.Null()], {
      description: `an object of at most ${MAX_STATUS_BYTES} bytes as sent; by convention with \`state\`, \`text\` and \`until\`. \`null\` takes it away.`,
    }),
    ttl_ms: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: PRESENCE_TTL_MS.most,
        description: `By HTTP, for a client without a connection: how long it is a member, ${PRESENCE_TTL_MS.least} to ${PRESENCE_TTL_MS.most} milliseconds, or 0 to end it.`,
      }),
    ),
  }),
  result: Type.Object({
    channel: Type.Optional(AddressText),
    status: Type.Union([Type.Unsafe<Record<string, unknown>>({ ...JsonObject }), Type.Null()], {
      description: 'The status as it is now.',
    }),
  }),
  channel_scope: 'none',
  grant: { at: 'listed', actions: ['presence'] },
  rate_limited: true,
  errors: ['forbidden', 'system_channel', 'room_not_found', 'channel_not_found', 'storage_unavailable'],
})
