/** Telemetry events (protocol §8). */
import Type, { type Static } from 'typebox'
import { JsonObject } from './envelope/schema.ts'

/** The payload of an envelope of type `telemetry`. */
export const TelemetryEvent = Type.Object(
  {
    eventType: Type.String({ minLength: 1, maxLength: 64, description: 'What happened.' }),
    payload: Type.Unsafe<Record<string, unknown>>({ ...JsonObject, description: 'What there is to say about it.' }),
  },
  { additionalProperties: false },
)

/** The payload of an envelope of type `telemetry`. */
export type TelemetryEvent = Static<typeof TelemetryEvent>

/** The channel that clients write telemetry to. */
export const TELEMETRY_CHANNEL = 'telemetry-stream'

/** The channel of agents' activity. */
export const DASHBOARD_CHANNEL = 'dashboard-events'
