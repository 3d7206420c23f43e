/** What the server says of its own accord or in answer (protocol §1, §3, §5, §6). */
import Type, { type Static } from 'typebox'
import type { ErrorBody, ErrorCode } from './codes.ts'
import { Client } from './entities.ts'
import { Durability, JsonObject, MessageId, PositionText } from './envelope/schema.ts'

/** The payload of a `command_response`. */
export type ReplyPayload =
  | { request_id: string | null; command?: string; status: 'success'; response_format: string; result: unknown }
  | { request_id: string | null; command?: string; status: 'error'; error: ErrorBody }

const answered = {
  request_id: Type.Union([MessageId, Type.Null()], {
    description: 'The id of the frame that is answered; `null` where none could be read.',
  }),
  command: Type.Optional(Type.String({ description: 'The name of the command; absent where the frame was none.' })),
}

/** The same as a schema. Receivers ignore fields that they do not know. */
export const Reply = Type.Union([
  Type.Object({
    ...answered,
    status: Type.Literal('success'),
    response_format: Type.String({ description: 'The name of the JSON Schema of `result`.' }),
    result: Type.Unknown({ description: 'What the frame asked for.' }),
  }),
  Type.Object({
    ...answered,
    status: Type.Literal('error'),
    error: Type.Object(
      {
        code: Type.Unsafe<ErrorCode>({
          type: 'string',
          description: 'What went wrong: one of the [error codes](errors.md). Match on this.',
        }),
        status: Type.Integer({
          minimum: 400,
          maximum: 599,
          description: 'The HTTP status of the same meaning.',
        }),
        message: Type.String({ description: 'What went wrong, for people.' }),
        details: Type.Optional(
          Type.Unsafe<Record<string, unknown>>({
            ...JsonObject,
            description: 'Points at the fault, as `{ path, expected }` does.',
          }),
        ),
        retry_after_ms: Type.Optional(
          Type.Integer({ description: 'Milliseconds after which a retry is worth the while.' }),
        ),
      },
      { description: 'Why not.' },
    ),
  }),
])

/** The result of a publish that asked for an acknowledgement: the schema `publish_result`. */
export const PublishResult = Type.Object({
  position: Type.Union([PositionText, Type.Null()], {
    description:
      'Where the message stands in its log. `null` where no log took it: telemetry, and provisional messages.',
  }),
  durability: Durability,
  replicas: Type.Optional(Type.Integer({ description: 'How many replicas have it.' })),
  duplicate: Type.Boolean({
    description: 'true where this id was taken before: it is not delivered again, and `position` is the first one.',
  }),
  recipients: Type.Optional(
    Type.Integer({ description: 'Subscribed connections known at that moment. Absent where unknown.' }),
  ),
})

/** The result of a publish that asked for an acknowledgement. */
export type PublishResult = Static<typeof PublishResult>

/** The payload of `welcome`, the first frame from the server. */
export const Welcome = Type.Object({
  event: Type.Literal('welcome'),
  client: Client,
  session: Type.String({ description: 'A secret: with it and the client id one comes back as the same client.' }),
  node: Type.String({ description: 'The identity of the node, new with each start.' }),
  bus: Type.String({ description: 'The identity of the log: positions of another one mean nothing here.' }),
  versions: Type.Array(Type.String(), { description: 'Envelope versions that the bus accepts.' }),
  limits: Type.Object(
    {
      max_message_bytes: Type.Integer({ description: 'The longest frame that the bus takes.' }),
      max_frame_bytes: Type.Integer({ description: 'The longest frame that the bus sends.' }),
      max_depth: Type.Integer({ description: 'The deepest nesting, the envelope included.' }),
      max_subscriptions: Type.Integer({ description: 'Subscriptions of one client.' }),
      messages_per_second: Type.Union([Type.Number(), Type.Null()], {
        description: 'Messages and commands a second; `null` where unlimited.',
      }),
      message_burst: Type.Union([Type.Number(), Type.Null()], {
        description: 'How many may come at once; `null` where unlimited.',
      }),
      dedup_window_ms: Type.Integer({ description: 'How long the same id is recognised.' }),
      session_ttl_ms: Type.Integer({ description: 'How long the session is kept after the connection.' }),
    },
    { description: 'The limits in force.' },
  ),
  heartbeat_ms: Type.Integer({ description: 'The server pings this often.' }),
  durability: Durability,
  resumed: Type.Boolean({ description: 'Whether a session was taken up again.' }),
  subscriptions: Type.Array(Type.String(), {
    description: 'Addresses that are joined now; this list and the two below name as many as a frame holds.',
  }),
  kept_subscriptions: Type.Array(Type.String(), {
    description: 'Addresses of a resumed session that a join starts again.',
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

/** The payload of a gap notice: what was between `after` and `next` may have been missed. */
export const Gap = Type.Object({
  event: Type.Literal('gap'),
  reason: Type.Unsafe<'trimmed' | 'reset' | 'lost' | 'overrun'>({
    enum: ['trimmed', 'reset', 'lost', 'overrun'],
    description:
      'The messages expired, the log began anew, the log lost them, or they came faster than they could be given.',
  }),
  after: Type.String({ ...PositionText, description: 'The last position before the gap.' }),
  next: Type.String({ ...PositionText, description: 'The new base: count on from here, even if it is lower.' }),
})

/** The payload of a gap notice. */
export type Gap = Static<typeof Gap>

/** The payload of the notice that a channel was deleted whose room one is subscribed to. */
export const ChannelDeleted = Type.Object({
  event: Type.Literal('channel_deleted'),
  last: Type.String({
    ...PositionText,
    description:
      'The last position of its log. A channel of this name that is created later is another one: its positions begin anew.',
  }),
})

/** The payload of the notice that a channel was deleted. */
export type ChannelDeleted = Static<typeof ChannelDeleted>

/** The payload of the notice that the bus has ended a subscription. */
export const SubscriptionEnded = Type.Object({
  event: Type.Literal('subscription_ended'),
  reason: Type.Unsafe<'room_deleted' | 'forbidden' | 'channel_full'>({
    enum: ['room_deleted', 'forbidden', 'channel_full'],
    description:
      'The room was deleted; or a stored channel came back under the name of the one that was joined, and the client may not join it, or it has no room for the client.',
  }),
})

/** The payload of the notice that the bus has ended a subscription. */
export type SubscriptionEnded = Static<typeof SubscriptionEnded>

/** The payload of the notice that the server shuts down. */
export const Shutdown = Type.Object({
  event: Type.Literal('shutdown'),
  drain_ms: Type.Integer({ description: 'How long the bus lets connections finish, in milliseconds.' }),
  reconnect_after_ms: Type.Integer({
    description: 'When to reconnect: another hint for each client, so that they do not all come at once.',
  }),
})

/** The payload of the notice that the server shuts down. */
export type Shutdown = Static<typeof Shutdown>
