/** The entities of the data model, as they appear in results. Times are ISO 8601 with milliseconds and `Z`. */
import Type, { type Static, type TString } from 'typebox'
import {
  BusTime,
  ChannelName,
  ClientId,
  Durability,
  type DurabilityLevel,
  JsonObject,
  RoomName,
} from './envelope/schema.ts'

/** The client types. */
export const clientTypes = ['human', 'ai-agent', 'dashboard', 'service'] as const

/** A client type. */
export type ClientType = (typeof clientTypes)[number]

/** Text for people: no control characters. The description is part of the type, because refusals repeat it. */
const label = (maxLength: number, description: string): TString & { readonly description: string } =>
  Object.assign(Type.String({ maxLength, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]*$' }), {
    description,
  })

/** The fields with which a client describes itself. */
export const profileFields = {
  screen_name: label(128, 'A name for people to see: at most 128 characters, none of them control characters.'),
  avatar: label(2048, 'An avatar: URL or identifier, at most 2,048 characters, none of them control characters.'),
  personality: label(1024, 'How an AI agent behaves: at most 1,024 characters, none of them control characters.'),
}

const time = (description: string) => Type.Unsafe<string>({ ...BusTime, description })

/** A connected client. */
export const Client = Type.Object({
  client_id: ClientId,
  client_type: Type.Unsafe<ClientType>({ enum: [...clientTypes], description: 'The client type.' }),
  screen_name: Type.Optional(profileFields.screen_name),
  avatar: Type.Optional(profileFields.avatar),
  personality: Type.Optional(profileFields.personality),
  on_behalf_of: Type.Optional(
    Type.String({ description: 'The subject for whom it acts, by its token; absent where it acts for itself.' }),
  ),
  state: Type.Unsafe<'connected' | 'active'>({
    enum: ['connected', 'active'],
    description: '`connected`: welcomed; `active`: has sent a frame.',
  }),
  connected_at: time('When the client connected.'),
  last_activity: time('When its last frame arrived; pongs do not count.'),
  subscriptions: Type.Array(Type.String(), {
    description: 'Its subscriptions that the requester may see: `room:channel` or `room:*`, the first 1,000.',
  }),
})

/** A connected client. */
export type Client = Static<typeof Client>

/** A client in a list, with its traffic and the state of its delivery. */
export const ListedClient = Type.Object({
  ...Client.properties,
  frames_received: Type.Integer({ description: 'Frames received from it since it connected, including refused ones.' }),
  queue_bytes: Type.Integer({ description: 'Bytes sent to it that it has not read yet.' }),
  messages_per_second: Type.Number({
    description: 'Frames received from it, refused ones too, over the last 10 seconds that were measured.',
  }),
  behind: Type.Boolean({
    description: 'It is catching up from the log, because it reads too slowly for live delivery or has just recovered.',
  }),
  behind_since: Type.Optional(time('Since when; only while it is behind.')),
  address: Type.Optional(Type.String({ description: 'The address from which it connected. For admins only.' })),
})

/** A client in a list. */
export type ListedClient = Static<typeof ListedClient>

/** A room. */
export const Room = Type.Object({
  name: RoomName,
  type: Type.Unsafe<'system' | 'user' | 'dynamic'>({
    enum: ['system', 'user', 'dynamic'],
    description:
      '`system`: built in or configured, so never deleted; `user`: created by `create_channel`; `dynamic`: created by a join or a publish.',
  }),
  state: Type.Unsafe<'active' | 'paused'>({
    enum: ['active', 'paused'],
    description: '`paused`: messages are refused, commands work.',
  }),
  channels: Type.Array(ChannelName, {
    description:
      'The names of its channels that the requester may see, among the first 1,000. `list_channels` has all of them.',
  }),
  channel_count: Type.Integer({ description: 'The number of its channels, private ones too.' }),
  created_at: time('When it was created.'),
  created_by: Type.Optional(
    Type.String({ ...ClientId, description: 'The client that created it; absent if the bus created it.' }),
  ),
  config: Type.Optional(
    Type.Unsafe<Record<string, unknown>>({
      ...JsonObject,
      description: 'As given to `create_channel`, or configured.',
    }),
  ),
  participant_count: Type.Integer({
    description: 'Distinct clients with a subscription to one of its channels or to the room.',
  }),
})

/** A room. */
export type Room = Static<typeof Room>

/** Settings of one channel that override those of the bus. */
export const ChannelOptions = Type.Object(
  {
    history_size: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'How many messages the log keeps.' }),
    ),
    history_ttl_ms: Type.Optional(
      Type.Integer({
        minimum: 1000,
        maximum: 31_536_000_000,
        description: 'How long the log keeps a message, in milliseconds.',
      }),
    ),
    max_participants: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'The most participants at a time.' }),
    ),
    durability: Type.Optional(
      Type.Unsafe<DurabilityLevel>({
        ...Durability,
        description: 'The weakest durability level at which messages are accepted: `memory`, `stored` or `disk`.',
      }),
    ),
  },
  { additionalProperties: false, description: 'Settings of this channel that override those of the bus.' },
)

/** Settings of one channel that override those of the bus. */
export type ChannelOptions = Static<typeof ChannelOptions>

/** The type of a channel. */
export const ChannelTypeField = Type.Unsafe<'general' | 'private' | 'system' | 'pm'>({
  enum: ['general', 'private', 'system', 'pm'],
  description:
    '`general`: open; `private`: for its creator, its members and admins; `system`: all clients read, only the bus and admins publish; `pm`: private messages.',
})

/** The type that a client expects of the channel that it joins. */
export const ExpectedType = Type.Unsafe<'general' | 'private' | 'system'>({
  enum: ['general', 'private', 'system'],
  description:
    'The expected type of the channel, such as the `type` of an earlier join; a channel of another type is refused with `channel_type_mismatch`. With `private` or `system`, a missing channel is not created.',
})

const channelFields = {
  name: ChannelName,
  room: RoomName,
  type: ChannelTypeField,
  state: Type.Unsafe<'active' | 'empty' | 'private'>({
    enum: ['active', 'empty', 'private'],
    description:
      '`active`: has participants; `empty`: has none. Of type `pm`: `active` until a private message is sent by it, then `private`.',
  }),
  created_at: time('When it was created.'),
  created_by: Type.Optional(
    Type.String({ ...ClientId, description: 'The client that created it; absent if the bus created it.' }),
  ),
  metadata: Type.Optional(
    Type.Unsafe<Record<string, unknown>>({ ...JsonObject, description: 'As given to `create_channel`.' }),
  ),
  options: Type.Optional(ChannelOptions),
  hardcoded: Type.Boolean({ description: 'Built in or configured; it cannot be deleted.' }),
  auto_created: Type.Boolean({
    description: 'Created by a join or a publish; removed once it is unused and its history has expired.',
  }),
}

/** A channel, with the number of its participants. */
export const Channel = Type.Object({
  ...channelFields,
  participant_count: Type.Integer({ description: 'Direct joins, of connections and event streams.' }),
})

/** A channel. */
export type Channel = Static<typeof Channel>

/** A channel in a list, with its traffic. */
export const ListedChannel = Type.Object({
  ...Channel.properties,
  messages_per_second: Type.Number({
    description: 'Messages of the channel, of all clients, over the last 10 seconds that were measured.',
  }),
})

/** A channel in a list. */
export type ListedChannel = Static<typeof ListedChannel>

/** A channel in full, with the ids of its participants. */
export const ChannelInFull = Type.Object({
  ...channelFields,
  participants: Type.Array(ClientId, {
    description: 'Clients with a direct subscription: the first 1,000, or as many as fit into a frame.',
  }),
  participant_count: Type.Integer({ description: 'The number of all participants.' }),
  room_participants: Type.Array(ClientId, {
    description: 'Clients with a subscription to the whole room: the first 1,000, or as many as fit into a frame.',
  }),
})

/** A channel in full. */
export type ChannelInFull = Static<typeof ChannelInFull>

/** A command, as `list_commands` describes it. */
export const CommandInfo = Type.Object({
  name: Type.String({ description: 'Its name.' }),
  description: Type.String({ description: 'What it does, in sentences.' }),
  parameters: Type.Unsafe<Record<string, unknown>>({
    ...JsonObject,
    description: 'Its parameters, as a JSON Schema (draft 2020-12).',
  }),
  response_format: Type.String({ description: 'The name of the JSON Schema of its result.' }),
  requires_admin: Type.Boolean({
    description: 'Whether only admins, and clients with the grant `manage`, may run it.',
  }),
  channel_scope: Type.Unsafe<'channel' | 'room' | 'none'>({
    enum: ['channel', 'room', 'none'],
    description: 'What `room` and `channel` of its parameters or of its envelope address.',
  }),
  needs_connection: Type.Boolean({
    description: 'Whether it changes the connection that sends it: such a command cannot be called by HTTP.',
  }),
  rate_limit: Type.Optional(
    Type.Object(
      {
        per_second: Type.Number({ description: 'How many each client may send per second.' }),
        burst: Type.Integer({ description: 'How many it may send at once.' }),
      },
      { description: 'Its own rate for each client. Without it the command counts as a message.' },
    ),
  ),
  errors: Type.Array(Type.String(), {
    description: 'Codes that it may be refused with, beside those of every command.',
  }),
})

/** A command, as `list_commands` describes it. */
export type CommandInfo = Static<typeof CommandInfo>
