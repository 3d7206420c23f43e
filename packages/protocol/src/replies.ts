/** The payloads that the server sends: replies and notices (docs/protocol.md#replies-and-errors). */
import Type, { type Static } from 'typebox'
import type { ErrorBody, ErrorCode, ErrorDetails } from './codes.ts'
import { Client } from './entities.ts'
import { ClientId, Durability, JsonObject, MessageId, PositionText } from './envelope/schema.ts'
import { MOST_FAULTS } from './faults.ts'

/** The payload of a `command_response`. */
export type ReplyPayload =
  | {
      request_id: string | null
      command?: string
      requester?: string
      status: 'success'
      response_format: string
      result: unknown
    }
  | { request_id: string | null; command?: string; requester?: string; status: 'error'; error: ErrorBody }

const answered = {
  request_id: Type.Union([MessageId, Type.Null()], {
    description: 'The id of the frame that this is the reply to; `null` if it could not be read.',
  }),
  command: Type.Optional(
    Type.String({ description: 'The name of the command; absent if the frame was not a command.' }),
  ),
  requester: Type.Optional(
    Type.String({ ...ClientId, description: 'The client that sent the command; absent if the frame was not one.' }),
  ),
}

const path = Type.String({
  description:
    'Where: a JSON Pointer into the frame, for commands into its payload, for requests over HTTP and for upgrades ' +
    '`/query/…` or `/headers/…`.',
})
const expected = Type.String({ description: 'What is expected there.' })

const ErrorDetailsField = Type.Unsafe<ErrorDetails>({
  ...JsonObject,
  properties: {
    path,
    expected,
    faults: Type.Array(Type.Object({ path, expected }), {
      minItems: 2,
      maxItems: MOST_FAULTS,
      description: 'All faults, if there are several. The first is the one above.',
    }),
  },
  description: 'Where the fault is, and whatever else a code has to say.',
})

/** The schema of `ReplyPayload`. Receivers ignore unknown fields. */
export const Reply = Type.Union([
  Type.Object({
    ...answered,
    status: Type.Literal('success'),
    response_format: Type.String({ description: 'The name of the JSON Schema of `result`.' }),
    result: Type.Unknown({ description: 'The result, in the form of that schema.' }),
  }),
  Type.Object({
    ...answered,
    status: Type.Literal('error'),
    error: Type.Object(
      {
        code: Type.Unsafe<ErrorCode>({
          type: 'string',
          description: 'The reason, as one of the [error codes](errors.md). Match on this.',
        }),
        status: Type.Integer({
          minimum: 400,
          maximum: 599,
          description: 'The HTTP status with the same meaning.',
        }),
        message: Type.String({ description: 'The reason, for people.' }),
        details: Type.Optional(ErrorDetailsField),
        retry_after_ms: Type.Optional(Type.Integer({ description: 'Milliseconds to wait before a retry.' })),
      },
      { description: 'Why not.' },
    ),
  }),
])

/** The result of a publish that asked for an acknowledgement: the schema `publish_result`. */
export const PublishResult = Type.Object({
  position: Type.Union([PositionText, Type.Null()], {
    description:
      'The position of the message in its log. `null` for messages without a log: telemetry, and provisional messages.',
  }),
  durability: Durability,
  replicas: Type.Optional(Type.Integer({ description: 'How many replicas have the message.' })),
  duplicate: Type.Boolean({
    description:
      'true if a message with this id was accepted before: it is not delivered again, and `position` is the first one.',
  }),
  recipients: Type.Optional(
    Type.Integer({ description: 'Subscribed connections known at that moment. Absent if unknown.' }),
  ),
})

/** The result of a publish that asked for an acknowledgement. */
export type PublishResult = Static<typeof PublishResult>

/** The payload of `welcome`, the first frame from the server. */
export const Welcome = Type.Object({
  event: Type.Literal('welcome'),
  client: Client,
  session: Type.String({ description: 'A secret: with it and the client id a client resumes its session.' }),
  node: Type.String({ description: 'The identity of the node, new with each start.' }),
  bus: Type.String({ description: 'The identity of the log: positions of another log are not valid here.' }),
  versions: Type.Array(Type.String(), { description: 'Envelope versions that the bus accepts.' }),
  limits: Type.Object(
    {
      max_message_bytes: Type.Integer({ description: 'The longest frame that the bus accepts, in bytes.' }),
      max_frame_bytes: Type.Integer({ description: 'The longest frame that the bus sends, in bytes.' }),
      max_depth: Type.Integer({ description: 'The deepest nesting, the envelope included.' }),
      max_subscriptions: Type.Integer({ description: 'Subscriptions of one client.' }),
      messages_per_second: Type.Union([Type.Number(), Type.Null()], {
        description: 'Messages and commands per second; `null` if unlimited.',
      }),
      message_burst: Type.Union([Type.Number(), Type.Null()], {
        description: 'How many may be sent at once; `null` if unlimited.',
      }),
      dedup_window_ms: Type.Integer({ description: 'How long a repeated message id is recognised.' }),
      session_ttl_ms: Type.Integer({ description: 'How long the session is kept after a disconnect.' }),
    },
    { description: 'The limits in force.' },
  ),
  heartbeat_ms: Type.Integer({ description: 'The interval at which the server pings, in milliseconds.' }),
  durability: Durability,
  resumed: Type.Boolean({ description: 'Whether an earlier session was resumed.' }),
  subscriptions: Type.Array(Type.String(), {
    description: 'Joined addresses; this list and the two below have as many entries as fit into a frame.',
  }),
  kept_subscriptions: Type.Array(Type.String(), {
    description: 'Addresses of the resumed session that are not joined now; a join resumes them.',
  }),
  failed_joins: Type.Array(
    Type.Object({
      channel: Type.String({ description: 'The address.' }),
      error: Type.Unsafe<Record<string, unknown>>({
        ...JsonObject,
        description: 'As in a reply: `code`, `status`, `message` and `details`.',
      }),
    }),
    { description: 'Addresses of `join` that could not be joined.' },
  ),
})

/** The payload of `welcome`. */
export type Welcome = Static<typeof Welcome>

/** The payload of a gap notice: messages between `after` and `next` may have been missed. */
export const Gap = Type.Object({
  event: Type.Literal('gap'),
  reason: Type.Unsafe<'trimmed' | 'reset' | 'lost' | 'overrun'>({
    enum: ['trimmed', 'reset', 'lost', 'overrun'],
    description:
      'The messages expired, the log was replaced, the log lost them, or they were published faster than they could be delivered.',
  }),
  after: Type.String({ ...PositionText, description: 'The last position before the gap.' }),
  next: Type.String({
    ...PositionText,
    description: 'The new base: the next message follows it, even if it is lower.',
  }),
})

/** The payload of a gap notice. */
export type Gap = Static<typeof Gap>

/** The payload of the notice that a snapshot has been sent: what follows is live. */
export const Snapshot = Type.Object({
  event: Type.Literal('snapshot'),
  messages: Type.Integer({ minimum: 0, description: 'How many messages the snapshot had.' }),
  complete: Type.Boolean({
    description:
      'False where it may lack a key: there are more keys, bytes or messages than a snapshot reads, or the log could not be read.',
  }),
})

/** The payload of the notice that a snapshot has been sent. */
export type Snapshot = Static<typeof Snapshot>

/** The payload of the notice that a channel was deleted, for subscribers of its whole room. */
export const ChannelDeleted = Type.Object({
  event: Type.Literal('channel_deleted'),
  last: Type.String({
    ...PositionText,
    description:
      'The last position of its log. A channel of this name that is created later is another one: its positions start again.',
  }),
})

/** The payload of the notice that a channel was deleted. */
export type ChannelDeleted = Static<typeof ChannelDeleted>

/** The payload of the notice that a message was deleted. */
export const MessageDeleted = Type.Object({
  event: Type.Literal('message_deleted'),
  position: Type.String({ ...PositionText, description: 'The position of the message.' }),
})

/** The payload of the notice that a message was deleted. */
export type MessageDeleted = Static<typeof MessageDeleted>

/** The payload of the notice that the bus ended a subscription. */
export const SubscriptionEnded = Type.Object({
  event: Type.Literal('subscription_ended'),
  reason: Type.Unsafe<'room_deleted' | 'forbidden' | 'channel_full'>({
    enum: ['room_deleted', 'forbidden', 'channel_full'],
    description:
      '`room_deleted`: the room was deleted. `forbidden`: the client may not hold it any more, because its permissions, the members of the channel or the channel itself have changed; `channel_full`: a stored channel replaced the joined one of that name, and has no place for the client.',
  }),
})

/** The payload of the notice that the bus ended a subscription. */
export type SubscriptionEnded = Static<typeof SubscriptionEnded>

/** The payload of the notice that the server shuts down. */
export const Shutdown = Type.Object({
  event: Type.Literal('shutdown'),
  drain_ms: Type.Integer({ description: 'How long the bus waits for connections to finish, in milliseconds.' }),
  reconnect_after_ms: Type.Integer({
    description:
      'When to reconnect, in milliseconds: a different hint for each client, so that they do not reconnect all at once.',
  }),
})

/** The payload of the notice that the server shuts down. */
export type Shutdown = Static<typeof Shutdown>

/** The payload of the notice that the token of a connection expires soon. */
export const TokenExpiring = Type.Object({
  event: Type.Literal('token_expiring'),
  expires_in_ms: Type.Integer({
    description: 'When it expires, in milliseconds: until then `authenticate` can replace it.',
  }),
})

/** The payload of the notice that the token of a connection expires soon. */
export type TokenExpiring = Static<typeof TokenExpiring>
