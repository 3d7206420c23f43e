/** Telemetry events (docs/protocol.md#telemetry). */
import Type, { type Static } from 'typebox'
import { Client } from './entities.ts'
import { JsonObject } from './envelope/schema.ts'
import { Welcome } from './replies.ts'

/** The payload of an envelope of type `telemetry`. */
export const TelemetryEvent = Type.Object(
  {
    eventType: Type.String({ minLength: 1, maxLength: 64, description: 'What happened.' }),
    payload: Type.Unsafe<Record<string, unknown>>({ ...JsonObject, description: 'The data of the event.' }),
  },
  { additionalProperties: false },
)

/** The payload of an envelope of type `telemetry`. */
export type TelemetryEvent = Static<typeof TelemetryEvent>

/** The channel that clients write telemetry to. */
export const TELEMETRY_CHANNEL = 'telemetry-stream'

/** The channel of agents' activity. */
export const DASHBOARD_CHANNEL = 'dashboard-events'

/** The payload of `welcome` of the telemetry server, which has no sessions and no joins. */
export const TelemetryWelcome = Type.Object({
  event: Type.Literal('welcome'),
  client: Client,
  node: Type.String({ description: 'The identity of the node, new with each start.' }),
  bus: Type.String({ description: 'The identity of the log.' }),
  versions: Type.Array(Type.String(), { description: 'Envelope versions that the server accepts.' }),
  limits: Type.Pick(Welcome.properties.limits, [
    'max_message_bytes',
    'max_frame_bytes',
    'max_depth',
    'messages_per_second',
    'message_burst',
  ]),
  heartbeat_ms: Welcome.properties.heartbeat_ms,
  subscriptions: Type.Array(Type.String(), { description: 'The channels whose events are delivered: always both.' }),
  events: Type.Union([Type.Array(Type.String()), Type.Null()], {
    description: 'The requested types of events of the bus; `null`: all.',
  }),
  client_events: Type.Union([Type.Array(Type.String()), Type.Null()], {
    description: 'The requested types of events of clients; `null`: all.',
  }),
})

/** The payload of `welcome` of the telemetry server. */
export type TelemetryWelcome = Static<typeof TelemetryWelcome>

/** The payload of the notice to a telemetry subscriber that missed events because it read too slowly. */
export const TelemetryMissed = Type.Object({
  event: Type.Literal('missed'),
  count: Type.Integer({ minimum: 1, description: 'How many events were not delivered to it.' }),
})

/** The payload of the notice that events were missed. */
export type TelemetryMissed = Static<typeof TelemetryMissed>
