/** Commands about channels and what was said in them. */
import Type, { type Static } from 'typebox'
import { Channel, ChannelInFull, ChannelOptions, ChannelTypeField, ExpectedType, ListedChannel } from '../entities.ts'
import { DeliveredEnvelope, JsonObject, MessageId, PositionText } from '../envelope/schema.ts'
import { namePattern } from '../names.ts'
import { positionPattern } from '../position.ts'
import { PresenceList } from '../presence.ts'
import { AddressText, addressFields, ClientIdField, nextPage, orderField, pageFields, roomField } from './fields.ts'
import { command, parameters } from './shape.ts'
import { subscriptionFields } from './subscription-fields.ts'

const MEMBERS = 'Every client; of a private channel its creator, its `metadata.members` and admins.'

/** Creates a channel. */
export const create_channel = command('create_channel', {
  summary: 'Creates a channel, and its room where there is none.',
  notes: [
    'Creating does not join.',
    '`room` and `channel` together name what is made; `*` and the channel name `pm` cannot be.',
    'Of a private channel `metadata.members` lists the client ids that may enter beside its creator.',
  ],
  who: 'Every client; admins alone where `ARQONBUS_CREATE` is `admin`.',
  grant: { at: 'address', actions: ['create'] },
  parameters: parameters({
    ...addressFields,
    type: Type.Optional(
      Type.Unsafe<'general' | 'private'>({
        enum: ['general', 'private'],
        default: 'general',
        description: 'Who may join, read and write: everybody, or its creator, `metadata.members` and admins.',
      }),
    ),
    metadata: Type.Optional(
      Type.Unsafe<Record<string, unknown>>({ ...JsonObject, description: 'Anything that describes the channel.' }),
    ),
    options: Type.Optional(ChannelOptions),
    room_config: Type.Optional(
      Type.Unsafe<Record<string, unknown>>({
        ...JsonObject,
        description: 'Anything that describes the room; only where this makes the room.',
      }),
    ),
  }),
  result: Type.Object({ channel: Channel }),
  channel_scope: 'channel',
  rate_limited: true,
  errors: [
    'forbidden',
    'system_room',
    'system_channel',
    'channel_exists',
    'too_many_rooms',
    'too_many_channels',
    'quota_exceeded',
    'storage_unavailable',
  ],
})

/** Deletes a channel. */
export const delete_channel = command('delete_channel', {
  summary: 'Deletes a channel without participants, and its history.',
  notes: [
    'Participants are its direct joins: room-wide subscriptions do not hold a channel. They get a `channel_deleted` notice, and go on.',
    'A dynamic room goes with its last channel; a user room after `ARQONBUS_CHANNEL_IDLE`, unless it is used again.',
  ],
  who: 'Its creator, admins, and clients with the grant `manage`.',
  grant: { at: 'address', actions: ['create', 'manage'] },
  parameters: parameters(addressFields),
  result: Type.Object({ channel: AddressText, deleted: Type.Literal(true) }),
  channel_scope: 'channel',
  errors: [
    'forbidden',
    'room_not_found',
    'channel_not_found',
    'channel_hardcoded',
    'channel_not_empty',
    'storage_unavailable',
  ],
})

const ofMembers = {
  who: 'Its creator, admins, and clients with the grant `manage`.',
  parameters: parameters({ ...addressFields, client_id: ClientIdField }),
  channel_scope: 'channel',
  grant: { at: 'address', actions: ['create', 'manage'] },
  errors: [
    'forbidden',
    'room_not_found',
    'channel_not_found',
    'channel_type_mismatch',
    'channel_hardcoded',
    'storage_unavailable',
  ],
} as const

/** Invites a client into a private channel. */
export const invite = command('invite', {
  summary: 'Makes a client a member of a private channel.',
  notes: [
    'Members are listed in `metadata.members` of the channel, and stored with it. A client need not be connected to be invited.',
    'Inviting a member succeeds and changes nothing. A member that has joined the whole room is delivered the channel from now on.',
  ],
  ...ofMembers,
  result: Type.Object({
    channel: AddressText,
    client_id: ClientIdField,
    added: Type.Boolean({ description: 'Whether it had not been a member.' }),
  }),
})

/** Removes a client from a private channel. */
export const remove_member = command('remove_member', {
  summary: 'Ends the membership of a client in a private channel, and its subscription to that at once.',
  notes: [
    'Its subscription ends with a `subscription_ended` notice. Removing a client that is no member succeeds and changes nothing; the creator of a channel stays.',
  ],
  ...ofMembers,
  result: Type.Object({
    channel: AddressText,
    client_id: ClientIdField,
    removed: Type.Boolean({ description: 'Whether it had been a member.' }),
  }),
})

/** Deletes a message. */
export const delete_message = command('delete_message', {
  summary: 'Deletes a message of a channel, or of the broadcast of a room (`*`): a tombstone stays at its position.',
  notes: [
    'History and joins with `since` deliver the tombstone: the envelope with the same id, sender and position, an empty payload, and `metadata.arq_deleted`. Subscribers get a `message_deleted` notice.',
    'Deleting a message that is deleted already succeeds and changes nothing.',
  ],
  who: 'Its sender, admins, and clients with the grant `manage`.',
  parameters: parameters({
    ...addressFields,
    position: Type.String({ pattern: `^${positionPattern}$`, description: 'The position of the message.' }),
  }),
  result: Type.Object({ channel: AddressText, position: PositionText, deleted: Type.Literal(true) }),
  channel_scope: 'channel',
  grant: { at: 'address', actions: ['publish', 'manage'] },
  errors: [
    'forbidden',
    'system_channel',
    'room_not_found',
    'channel_not_found',
    'message_not_found',
    'storage_unavailable',
  ],
})

/** A map of channel names. Keys are checked too: a key that names no channel would be taken for one that nobody has. */
const byChannel = (pattern: string) =>
  Type.Unsafe<Record<string, string>>({
    type: 'object',
    propertyNames: { pattern: `^${namePattern}$` },
    additionalProperties: { type: 'string', pattern: `^(?:${pattern})$` },
  })

const since = {
  since: Type.Optional(
    Type.Union([PositionText, byChannel(positionPattern)], {
      description:
        'the last position that one has; for `room:*` a map of channel to position. What came after it follows.',
    }),
  ),
  since_id: Type.Optional(
    Type.Union([MessageId, byChannel('arq_[A-Za-z0-9_-]{1,64}')], {
      description:
        'the id of the message at `since`, which proves that the log is still the same; for `room:*` a map of channel to id.',
    }),
  ),
  room_since: Type.Optional(
    Type.String({
      pattern: `^${positionPattern}$`,
      description: 'The last position that one has of the broadcast of the room.',
    }),
  ),
  room_since_id: Type.Optional(Type.String({ ...MessageId, description: 'The id of the message at `room_since`.' })),
  type: Type.Optional(ExpectedType),
  ...subscriptionFields,
}

const position = (description: string) => Type.Optional(Type.String({ pattern: `^${positionPattern}$`, description }))

const reason = (description: string) =>
  Type.Optional(
    Type.Unsafe<'trimmed' | 'reset' | 'diverged' | 'too_far' | 'forbidden'>({
      enum: ['trimmed', 'reset', 'diverged', 'too_far', 'forbidden'],
      description,
    }),
  )

/** What happened to a recovery. */
const Recovery = {
  position: position(
    'Without `since`: where delivery goes on, the head of the log, or the last position that a client was given that is joined and behind. When `recovered` is true, the head. When it is false, the new base: everything that the log still has follows it. Absent where there is no log, or nobody knows, because the log is away.',
  ),
  recovered: Type.Optional(
    Type.Boolean({ description: 'Whether everything since `since` follows. Absent without `since`.' }),
  ),
  reason: reason(
    'Why not. `trimmed`: messages after `since` are not kept any more; `reset`: the log at `since` has ended, and this is another one; `diverged`: another message has the position; `too_far`: too much was missed, and nothing of it follows; `forbidden`: the client may not read history, and only new messages follow.',
  ),
  first: position(
    'The oldest message that the log still has, or the head where it has none, when `recovered` is false.',
  ),
  missed: Type.Optional(Type.Integer({ description: 'How many messages follow. Absent without `since`.' })),
  complete: Type.Optional(
    Type.Literal(true, {
      description:
        'With `reset`: nothing was missed, because the log at `since` had no further message, and this one has every message that it ever took.',
    }),
  ),
}

/** What joining one address gave. */
export const JoinResult = Type.Object({
  channel: AddressText,
  type: Type.Optional(
    Type.Unsafe<Static<typeof ChannelTypeField>>({
      ...ChannelTypeField,
      description: 'The type of the channel. Absent for `room:*` and the inbox.',
    }),
  ),
  ...Recovery,
  room_position: position('As `position`, for the broadcast of the room.'),
  room_recovered: Type.Optional(Type.Boolean({ description: 'As `recovered`, for the broadcast of the room.' })),
  room_reason: reason('As `reason`, for the broadcast of the room.'),
  room_complete: Type.Optional(Type.Literal(true, { description: 'As `complete`, for the broadcast of the room.' })),
  channels: Type.Optional(
    Type.Array(
      Type.Object({
        channel: AddressText,
        type: Type.Optional(Type.Literal('private', { description: 'Present where the channel is private.' })),
        ...Recovery,
      }),
      { description: 'For `room:*`: the head of every channel that one may read, at most 1,000 in one answer.' },
    ),
  ),
  recoverable: Type.Optional(
    Type.Boolean({
      description: 'For `room:*`: false where the room has too many channels to be recovered as a whole.',
    }),
  ),
  presence: Type.Optional(
    Type.Object(PresenceList, { description: 'Who is there, where the subscription has `presence`.' }),
  ),
})

/** Joins channels. */
export const join_channel = command('join_channel', {
  summary: 'Subscribes to a channel, to a whole room (`*`), or to up to 100 of them, and recovers what was missed.',
  notes: [
    'Joining what is joined succeeds and changes nothing; with `since` it recovers again, with `snapshot` it gets the newest messages again, and `delivery`, `presence` and `invisible` change the subscription.',
    'What a join does not say of `delivery`, `presence` and `invisible` stays as the subscription has it, or as a resumed session kept it.',
    'An unknown channel is created, where `ARQONBUS_AUTO_CREATE` and `ARQONBUS_CREATE` allow it.',
    'With `channels` nothing else is given. Each entry has its own outcome in `results`: one that fails does not stop those behind it. An address that an entry before it has is `invalid_parameters`.',
    'Each address costs as much as a message of the rate of the client, and so do 100 heads that the answer lists.',
    'The inbox `arqonbus:inbox` is joined by itself: a join with `since` recovers it.',
  ],
  who: MEMBERS,
  grant: { at: 'joined', actions: ['join'] },
  parameters: parameters({
    ...addressFields,
    ...since,
    channels: Type.Optional(
      Type.Array(Type.Object({ ...addressFields, ...since }, { additionalProperties: false }), {
        minItems: 1,
        maxItems: 100,
        description: 'Several at once: each an address, and `since` and the others for it.',
      }),
    ),
  }),
  result: Type.Union([
    JoinResult,
    Type.Object({
      results: Type.Array(
        Type.Union([
          JoinResult,
          Type.Object({
            channel: AddressText,
            error: Type.Unsafe<Record<string, unknown>>({
              ...JsonObject,
              description: 'As in an error reply: `code`, `status`, `message` and `details`.',
            }),
          }),
        ]),
        { description: 'One for each of `channels`, in their order.' },
      ),
    }),
  ]),
  channel_scope: 'channel',
  needs_connection: true,
  errors: [
    'forbidden',
    'system_room',
    'system_channel',
    'room_not_found',
    'channel_not_found',
    'channel_type_mismatch',
    'channel_full',
    'room_full',
    'too_many_subscriptions',
    'too_many_rooms',
    'too_many_channels',
    'storage_unavailable',
  ],
})

/** Leaves a channel. */
export const leave_channel = command('leave_channel', {
  summary: 'Ends a subscription to a channel, or to a whole room (`*`).',
  notes: [
    'Leaving what is not joined succeeds and changes nothing.',
    'Leaving `room:*` keeps the channels of the room that were joined one by one.',
  ],
  grant: 'nothing',
  parameters: parameters(addressFields),
  result: Type.Object({ channel: AddressText, left: Type.Boolean({ description: 'Whether it had been joined.' }) }),
  channel_scope: 'channel',
  needs_connection: true,
})

/** Lists channels. */
export const list_channels = command('list_channels', {
  summary: 'Lists the channels that one may see, of the bus or of one room, oldest first.',
  notes: [
    'Without `room` it lists the channels of all rooms: the room of the envelope is ignored.',
    'A page with a `cursor` may be short, or empty, where most channels are private and not yours to see.',
    'In the order `rate` the first 1,000 channels are in that order, which is measured every 10 seconds, and all others follow as in `oldest`. A channel whose place changes between two pages may be on both, or on neither.',
  ],
  grant: { at: 'listed', actions: ['join'] },
  parameters: parameters({
    room: Type.Optional(Type.String({ ...roomField.room, description: 'One room alone.' })),
    ...pageFields,
    order: orderField(['oldest', 'rate'], { rate: 'the most `messages_per_second` first' }),
  }),
  result: Type.Object({
    channels: Type.Array(ListedChannel, { description: 'The channels of this page.' }),
    ...nextPage,
  }),
  rate_limited: true,
  errors: ['room_not_found', 'storage_unavailable'],
})

/** Describes a channel. */
export const channel_info = command('channel_info', {
  summary: 'Describes one channel: the entity, its participants, and the bounds of its history.',
  notes: ['Every room has a channel `pm`, for private messages: it has no participants, and lists omit it.'],
  who: MEMBERS,
  grant: { at: 'address', actions: ['join'] },
  parameters: parameters(addressFields),
  result: Type.Object({
    channel: ChannelInFull,
    position: position('The last position of its log. Absent where there is no log.'),
    first: position('The first position that its history still has.'),
  }),
  channel_scope: 'channel',
  errors: ['forbidden', 'system_channel', 'room_not_found', 'channel_not_found', 'storage_unavailable'],
})

/** Reads history. */
export const history = command('history', {
  summary:
    'Reads what was said in a channel, in the broadcast of a room (`*`), or in one’s own inbox (`arqonbus:inbox`).',
  notes: [
    'With `after` the page holds what comes next after it; with `before`, what comes last before it; with neither, the oldest messages under `asc` and the newest under `desc`.',
    'To read on, give the position of the last message of the page as `after` (or that of the earliest as `before`), while `has_more` is true.',
    'A page ends at `limit` or at the length of a frame, whichever comes first.',
    'A search `with` a client costs one token of the rate of this command for each page of 1,000 messages, or of the length of a frame, that it looks through.',
  ],
  who: MEMBERS,
  grant: { at: 'address', actions: ['history'] },
  parameters: parameters({
    ...addressFields,
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1000, default: 50, description: 'Messages a page, at most.' }),
    ),
    after: position('Messages behind this position. Not together with `before`.'),
    before: position('Messages before this position. Not together with `after`.'),
    order: Type.Optional(
      Type.Unsafe<'asc' | 'desc'>({
        enum: ['asc', 'desc'],
        default: 'asc',
        description: 'Oldest first, or newest first.',
      }),
    ),
    with: Type.Optional(
      Type.String({ maxLength: 128, description: 'Of the inbox: only the conversation with this client.' }),
    ),
  }),
  result: Type.Object({
    messages: Type.Array(DeliveredEnvelope, { description: 'Envelopes as they were delivered.' }),
    first: Type.String({ pattern: `^${positionPattern}$`, description: 'The first position that the log still has.' }),
    last: Type.String({ pattern: `^${positionPattern}$`, description: 'The last position of the log.' }),
    has_more: Type.Boolean({ description: 'Whether there is more in the direction that was asked for.' }),
    partial: Type.Optional(Type.Boolean({ description: 'true where the log is away, and this is what the node has.' })),
  }),
  channel_scope: 'channel',
  rate_limited: true,
  errors: ['forbidden', 'system_channel', 'room_not_found', 'channel_not_found', 'storage_unavailable'],
})
