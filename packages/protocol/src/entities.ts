/** The entities of the data model in results. Times are ISO 8601 with milliseconds and `Z`. */
import Type, { type Static, type TString } from 'typebox'
import {
  ChannelName,
  ClientId,
  Durability,
  type DurabilityLevel,
  JsonObject,
  RoomName,
  Timestamp,
} from './envelope/schema.ts'

/** Kinds of clients. */
export const clientTypes = ['human', 'ai-agent', 'dashboard', 'service'] as const

/** A kind of client. */
export type ClientType = (typeof clientTypes)[number]

/** Text that people see: no control characters. The description is part of the type, since refusals repeat it. */
const label = (maxLength: number, description: string): TString & { readonly description: string } =>
  Object.assign(Type.String({ maxLength, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]*$' }), {
    description,
  })

/** What a client says about itself. */
export const profileFields = {
  screen_name: label(128, 'A name for people to see: at most 128 characters, none of them control characters.'),
  avatar: label(2048, 'An avatar: URL or identifier, at most 2,048 characters, none of them control characters.'),
  personality: label(1024, 'How an AI agent behaves: at most 1,024 characters, none of them control characters.'),
}

const time = (description: string) => Type.Unsafe<string>({ ...Timestamp, description })

/** A connected client. */
export const Client = Type.Object({
  client_id: ClientId,
  client_type: Type.Unsafe<ClientType>({ enum: [...clientTypes], description: 'What kind of client it is.' }),
  screen_name: Type.Optional(profileFields.screen_name),
  avatar: Type.Optional(profileFields.avatar),
  personality: Type.Optional(profileFields.personality),
  state: Type.Unsafe<'connected' | 'active' | 'disconnected'>({
    enum: ['connected', 'active', 'disconnected'],
    description: '`connected`: welcomed; `active`: has sent a frame; `disconnected`: gone, its session kept.',
  }),
  connected_at: time('When the connection was made.'),
  last_activity: time('When the last frame came from it; pongs do not count.'),
  subscriptions: Type.Array(Type.String(), {
    description: 'What it has joined, as far as one may see: `room:channel` or `room:*`, the first 1,000.',
  }),
})

/** A connected client. */
export type Client = Static<typeof Client>

/** A client in a list: with what it sends, and how its delivery stands. */
export const ListedClient = Type.Object({
  ...Client.properties,
  frames_received: Type.Integer({ description: 'Frames that came from it since it connected, refused ones too.' }),
  queue_bytes: Type.Integer({ description: 'Bytes that were sent to it and that it has not read yet.' }),
  behind: Type.Boolean({ description: 'It reads too slowly for the live stream, and catches up from the log.' }),
})

/** A client in a list. */
export type ListedClient = Static<typeof ListedClient>

/** A room. */
export const Room = Type.Object({
  name: RoomName,
  type: Type.Unsafe<'system' | 'user' | 'dynamic'>({
    enum: ['system', 'user', 'dynamic'],
    description:
      '`system`: built in or configured; `user`: made by `create_channel`; `dynamic`: made by a join or a publish.',
  }),
  state: Type.Unsafe<'active' | 'paused'>({
    enum: ['active', 'paused'],
    description: '`paused`: messages are refused, commands work.',
  }),
  channels: Type.Array(ChannelName, {
    description: 'The names of those of its first 1,000 channels that one may see.',
  }),
  created_at: time('When it was created.'),
  created_by: Type.Optional(
    Type.String({ ...ClientId, description: 'The client that created it; absent where the bus did.' }),
  ),
  config: Type.Optional(
    Type.Unsafe<Record<string, unknown>>({
      ...JsonObject,
      description: 'As given to `create_channel`, or configured.',
    }),
  ),
  participant_count: Type.Integer({ description: 'Distinct clients in its channels and room-wide.' }),
})

/** A room. */
export type Room = Static<typeof Room>

/** Settings of one channel that stand in for those of the bus. */
export const ChannelOptions = Type.Object(
  {
    history_size: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'How many messages are kept.' }),
    ),
    history_ttl_ms: Type.Optional(
      Type.Integer({ minimum: 1000, maximum: 31_536_000_000, description: 'How long a message is kept.' }),
    ),
    max_participants: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'How many direct joins there may be at one time.' }),
    ),
    durability: Type.Optional(
      Type.Unsafe<DurabilityLevel>({
        ...Durability,
        description: 'The weakest level at which messages are taken: `memory`, `stored` or `disk`.',
      }),
    ),
  },
  { additionalProperties: false, description: 'Settings of this channel that stand in for those of the bus.' },
)

/** Settings of one channel that stand in for those of the bus. */
export type ChannelOptions = Static<typeof ChannelOptions>

/** The type of a channel. */
export const ChannelTypeField = Type.Unsafe<'general' | 'private' | 'system' | 'pm'>({
  enum: ['general', 'private', 'system', 'pm'],
  description:
    '`general`: open; `private`: for its creator, its members and admins; `system`: everybody reads, the bus and admins write; `pm`: private messages.',
})

/** The type of a channel that one joins, as far as one knows. */
export const ExpectedType = Type.Unsafe<'general' | 'private' | 'system'>({
  enum: ['general', 'private', 'system'],
  description:
    'The type that the channel has, as far as one knows, such as the `type` of an earlier join: one of another type is `channel_type_mismatch`. With `private` or `system` a channel that is not there is not created.',
})

const channelFields = {
  name: ChannelName,
  room: RoomName,
  type: ChannelTypeField,
  state: Type.Unsafe<'active' | 'empty' | 'private'>({
    enum: ['active', 'empty', 'private'],
    description: '`active`: has participants; `empty`: has none; `private`: of type `pm`.',
  }),
  created_at: time('When it was created.'),
  created_by: Type.Optional(
    Type.String({ ...ClientId, description: 'The client that created it; absent where the bus did.' }),
  ),
  metadata: Type.Optional(
    Type.Unsafe<Record<string, unknown>>({ ...JsonObject, description: 'As given to `create_channel`.' }),
  ),
  options: Type.Optional(ChannelOptions),
  hardcoded: Type.Boolean({ description: 'Part of the system, or configured: cannot be deleted.' }),
  auto_created: Type.Boolean({
    description: 'Made by a join or a publish: goes when it is unused and its history has expired.',
  }),
}

/** A channel in a list: the count of its participants. */
export const Channel = Type.Object({
  ...channelFields,
  participant_count: Type.Integer({ description: 'Direct joins.' }),
})

/** A channel in a list. */
export type Channel = Static<typeof Channel>

/** A channel in full: its participants by name. */
export const ChannelInFull = Type.Object({
  ...channelFields,
  participants: Type.Array(ClientId, { description: 'Direct joins, the first 1,000, or as many as a frame holds.' }),
  participant_count: Type.Integer({ description: 'All direct joins.' }),
  room_participants: Type.Array(ClientId, {
    description: 'Room-wide joins, the first 1,000, or as many as a frame holds.',
  }),
})

/** A channel in full. */
export type ChannelInFull = Static<typeof ChannelInFull>
