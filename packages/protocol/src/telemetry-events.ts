/**
 * The telemetry events of the bus (docs/protocol.md#telemetry): every type with its text, its payload and its budget,
 * declared once.
 */
import Type, { type Static, type TObject, type TProperties } from 'typebox'
import type { ErrorCode } from './codes.ts'
import { Channel, type ClientType, clientTypes, profileFields } from './entities.ts'
import { ChannelName, ChannelTarget, ClientId, RoomName } from './envelope/schema.ts'
import { DASHBOARD_CHANNEL, TELEMETRY_CHANNEL } from './telemetry.ts'

/** Events are collected for this long, then sent; what exceeds the budget of a type by then becomes a summary. */
export const TELEMETRY_TICK_MS = 100

/** One type of event. */
export type BusEvent<Payload extends TObject = TObject> = {
  /** One sentence: when it is sent. */
  readonly text: string
  /** The channel of `integriguard` in which it is sent. */
  readonly channel: typeof TELEMETRY_CHANNEL | typeof DASHBOARD_CHANNEL
  /** Maximum number sent in one tick. */
  readonly budget: number
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
    budget: 20,
    payload: {
      client_id: client,
      client_type: clientType,
      resumed: Type.Boolean({ description: 'Whether it resumed a session.' }),
    },
  }),
  client_disconnected: event({
    text: 'A client has left, or its connection has ended.',
    budget: 20,
    payload: {
      client_id: client,
      client_type: clientType,
      connected_ms: Type.Integer({ minimum: 0, description: 'How long it was connected, in milliseconds.' }),
    },
  }),
  channel_created: event({
    text: 'A channel was created, by `create_channel`, a join or a publish.',
    budget: 20,
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
    budget: 20,
    payload: { room, channel },
  }),
  channel_joined: event({
    text: 'A client has joined a channel, or a whole room.',
    budget: 20,
    payload: { client_id: client, room, channel: target },
  }),
  channel_left: event({
    text: 'A client has left a channel, or a whole room.',
    budget: 20,
    payload: { client_id: client, room, channel: target },
  }),
  message_routed: event({
    text: 'Messages were accepted and delivered to their subscribers: one event for each channel and tick. Each message counts at the server that it was published to.',
    budget: 50,
    payload: {
      client_id: Type.Optional(text(ClientId, 'The sender, if all of them have the same one.')),
      room,
      channel: target,
      count: count('How many messages.'),
    },
  }),
  message_rejected: event({
    text: 'A frame other than a command was refused. Refusals because of a rate are `rate_limited`.',
    budget: 20,
    payload: {
      client_id: client,
      code: Type.Unsafe<ErrorCode>({
        type: 'string',
        description: 'The reason: one of the [error codes](errors.md).',
      }),
      room: askedRoom,
      channel: askedTarget,
    },
  }),
  rate_limited: event({
    text: 'A message or a command was refused because of a rate.',
    budget: 20,
    payload: {
      client_id: client,
      room: askedRoom,
      channel: askedTarget,
      command: Type.Optional(Type.String({ description: 'The command; absent where it was a message.' })),
    },
  }),
  slow_consumer: event({
    text: 'A client reads more slowly than messages arrive for it.',
    budget: 20,
    payload: {
      client_id: client,
      state: Type.Unsafe<'behind' | 'closed'>({
        enum: ['behind', 'closed'],
        description: '`behind`: it catches up from the log; `closed`: what it lacks is no longer there (4429).',
      }),
    },
  }),
  storage_degraded: event({
    text: 'An outage of the external log began.',
    budget: 10,
    payload: {
      reason: Type.String({ description: 'The failure.' }),
      mode: Type.Unsafe<'degrade' | 'strict'>({
        enum: ['degrade', 'strict'],
        description: 'What the bus does meanwhile: deliver provisionally, or refuse.',
      }),
    },
  }),
  storage_recovered: event({ text: 'The outage of the external log ended.', budget: 10, payload: {} }),
  agent_activity: event({
    text: 'Activity of a client of type `ai-agent`. Repetitions in the same channel within a tick become one event.',
    channel: DASHBOARD_CHANNEL,
    budget: 50,
    payload: {
      client_id: text(ClientId, 'The agent.'),
      screen_name: Type.Optional(profileFields.screen_name),
      activity: Type.Unsafe<AgentActivity>({
        enum: ['connected', 'joined', 'left', 'message', 'command', 'idle', 'disconnected'],
        description: '`idle`: it has sent nothing for a while (`ARQONBUS_AGENT_IDLE`).',
      }),
      room: Type.Optional(room),
      channel: target,
      count: count('How many times in this tick.'),
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
 * The type of the event that sums up what exceeded the budget of another type; it is sent in the channel of that type.
 */
export const SUMMARY_EVENT = 'telemetry_summary'

/** The payload of such a summary. */
export const TelemetrySummary = Type.Object({
  event_type: Type.Unsafe<BusEventType>({ enum: [...busEventTypes], description: 'What it is a summary of.' }),
  count: count('How many were not sent one by one; of `message_routed`, how many messages.'),
})

/** The payload of such a summary. */
export type TelemetrySummary = Static<typeof TelemetrySummary>
