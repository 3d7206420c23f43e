/**
 * The telemetry events of the bus (docs/protocol.md#telemetry): every type with its text and its payload, declared once.
 */
import Type, { type Static, type TObject, type TProperties } from 'typebox'
import type { ErrorCode } from './codes.ts'
import { Channel, type ClientType, clientTypes, profileFields } from './entities.ts'
import { ChannelName, ChannelTarget, ClientId, RoomName } from './envelope/schema.ts'
import { DASHBOARD_CHANNEL, TELEMETRY_CHANNEL } from './telemetry.ts'

/** Events are collected for this long, then sent. */
export const TELEMETRY_TICK_MS = 100

/** One type of event. */
export type BusEvent<Payload extends TObject = TObject> = {
  /** One sentence: when it is sent. */
  readonly text: string
  /** The channel of `integriguard` in which it is sent. */
  readonly channel: typeof TELEMETRY_CHANNEL | typeof DASHBOARD_CHANNEL
  readonly payload: Payload
}

type Declared<Fields extends TProperties> = Omit<BusEvent, 'payload' | 'channel'> & {
  channel?: BusEvent['channel']
  payload: Fields
}

const event = <Fields extends TProperties>(declared: Declared<Fields>): BusEvent<TObject<Fields>> => ({
  channel: TELEMETRY_CHANNEL,
  ...declared,
  payload: Type.Object(declared.payload),
})

const text = (schema: object, description: string) => Type.Unsafe<string>({ ...schema, description })
const client = text(ClientId, 'The client.')
const clientType = Type.Unsafe<ClientType>({ enum: [...clientTypes], description: 'What kind of client it is.' })
const room = text(RoomName, 'The room.')
const channel = Type.Optional(text(ChannelName, 'The channel; absent where it is a private one.'))
const target = Type.Optional(
  text(ChannelTarget, 'The channel, or `*`: the whole room; absent where it is a private one.'),
)
const askedRoom = Type.Optional(text(RoomName, 'The room that the frame named, where it named one.'))
const askedTarget = Type.Optional(text(ChannelTarget, 'The channel that it named; absent where it is a private one.'))
const count = (description: string) => Type.Integer({ minimum: 1, description })

/** Every type. */
export const telemetryEvents = {
  client_connected: event({
    text: 'A client was admitted to the bus.',
    payload: {
      client_id: client,
      client_type: clientType,
      resumed: Type.Boolean({ description: 'Whether it resumed a session.' }),
    },
  }),
  client_disconnected: event({
    text: 'A client has left, or its connection has ended.',
    payload: {
      client_id: client,
      client_type: clientType,
      connected_ms: Type.Integer({ minimum: 0, description: 'How long it was connected, in milliseconds.' }),
      code: Type.Integer({
        description:
          'The [close code](errors.md#close-codes) of the side that closed first; 1005: the client gave none; 1006: there was no close frame.',
      }),
      reason: Type.String({
        description: 'What the code means; what a client or an admin wrote into the close frame is not passed on.',
      }),
    },
  }),
  channel_created: event({
    text: 'A channel was created, by `create_channel`, a join or a publish.',
    payload: {
      client_id: Type.Optional(text(ClientId, 'The client that created it; absent if the bus did.')),
      room,
      channel,
      type: Channel.properties.type,
      auto_created: Channel.properties.auto_created,
    },
  }),
  channel_deleted: event({
    text: 'A channel was deleted, or removed because it was not in use.',
    payload: { room, channel },
  }),
  channel_joined: event({
    text: 'A client has joined a channel, or a whole room.',
    payload: { client_id: client, room, channel: target },
  }),
  channel_left: event({
    text: 'A client has left a channel, or a whole room.',
    payload: { client_id: client, room, channel: target },
  }),
  message_routed: event({
    text: 'Messages were accepted and delivered to their subscribers: one event for each channel. Each message counts at the server that it was published to.',
    payload: {
      client_id: Type.Optional(text(ClientId, 'The sender, if all of them have the same one.')),
      room,
      channel: target,
      count: count('How many messages.'),
    },
  }),
  message_rejected: event({
    text: 'Frames of a client other than commands were refused: one event for each code and channel. Refusals because of a rate are `rate_limited`.',
    payload: {
      client_id: client,
      code: Type.Unsafe<ErrorCode>({
        type: 'string',
        description: 'The reason: one of the [error codes](errors.md).',
      }),
      room: askedRoom,
      channel: askedTarget,
      count: count('How many frames.'),
    },
  }),
  rate_limited: event({
    text: 'Messages or commands of a client were refused because of a rate: one event for each channel or command.',
    payload: {
      client_id: client,
      room: askedRoom,
      channel: askedTarget,
      command: Type.Optional(Type.String({ description: 'The command; absent where it was a message.' })),
      count: count('How many of them.'),
    },
  }),
  slow_consumer: event({
    text: 'A client reads more slowly than messages arrive for it.',
    payload: {
      client_id: client,
      state: Type.Unsafe<'behind' | 'closed'>({
        enum: ['behind', 'closed'],
        description: '`behind`: it catches up from the log; `closed`: what it lacks is no longer there (4429).',
      }),
      count: count('How many times.'),
    },
  }),
  storage_degraded: event({
    text: 'An outage of the external log began.',
    payload: {
      reason: Type.String({ description: 'The failure.' }),
      mode: Type.Unsafe<'degrade' | 'strict'>({
        enum: ['degrade', 'strict'],
        description: 'What the bus does meanwhile: deliver provisionally, or refuse.',
      }),
    },
  }),
  storage_recovered: event({ text: 'The outage of the external log ended.', payload: {} }),
  agent_activity: event({
    text: 'Activity of a client of type `ai-agent`. Its messages are one event for each channel, its commands are one event.',
    channel: DASHBOARD_CHANNEL,
    payload: {
      client_id: text(ClientId, 'The agent.'),
      screen_name: Type.Optional(profileFields.screen_name),
      activity: Type.Unsafe<AgentActivity>({
        enum: ['connected', 'joined', 'left', 'message', 'command', 'idle', 'disconnected'],
        description: '`idle`: it has sent nothing for a while (`ARQONBUS_AGENT_IDLE`).',
      }),
      room: Type.Optional(room),
      channel: target,
      count: count('How many times; 1 for activities other than `message` and `command`.'),
    },
  }),
} as const

/** An activity of an agent. */
export type AgentActivity = 'connected' | 'joined' | 'left' | 'message' | 'command' | 'idle' | 'disconnected'

/** The name of a type of event. */
export type BusEventType = keyof typeof telemetryEvents

/** All of them. */
export const busEventTypes = Object.keys(telemetryEvents) as readonly BusEventType[]

/** The payloads by type: one alias, so that the compiler derives each only once. */
type BusEventPayloads = { [Name in BusEventType]: Static<(typeof telemetryEvents)[Name]['payload']> }

/** The payload of an event of that type. */
export type BusEventPayload<Name extends BusEventType> = BusEventPayloads[Name]

/**
 * The type of the event that is sent in place of events of another type, where too many of that one wait; it is sent in
 * the channel of that type.
 */
export const SUMMARY_EVENT = 'telemetry_summary'

/** The payload of such a summary. */
export const TelemetrySummary = Type.Object({
  event_type: Type.Unsafe<BusEventType>({ enum: [...busEventTypes], description: 'What it is a summary of.' }),
  count: count('How many were not sent one by one; of types that count, how often they happened.'),
  reason: Type.Unsafe<'queue_full' | 'shutdown'>({
    enum: ['queue_full', 'shutdown'],
    description:
      '`queue_full`: as many events of that type waited as `ARQONBUS_TELEMETRY_MAX_WAITING` allows; `shutdown`: more than those of a second waited when the bus ended.',
  }),
})

/** The payload of such a summary. */
export type TelemetrySummary = Static<typeof TelemetrySummary>
