/**
 * `docs/reference/schemas/*.json`: the JSON Schemas of everything on the wire, for implementations in other languages.
 */

import {
  Channel,
  ChannelDeleted,
  ChannelInFull,
  Client,
  type CommandShape,
  commands,
  DeliveredEnvelope,
  Envelope,
  Gap,
  ListedClient,
  Presence,
  PublishResult,
  portable,
  Reply,
  Room,
  Shutdown,
  Snapshot,
  SubscriptionEnded,
  TelemetryEvent,
  TelemetryMissed,
  TelemetrySummary,
  TelemetryWelcome,
  TokenExpiring,
  telemetryEvents,
  Welcome,
} from '@arqonbus/protocol'
import type { Page } from './page.ts'

/** The folder of the schemas, which contains nothing else. */
export const schemaFolder = 'docs/reference/schemas'

const entities = {
  envelope: Envelope,
  delivered_envelope: DeliveredEnvelope,
  reply: Reply,
  publish_result: PublishResult,
  welcome: Welcome,
  gap: Gap,
  snapshot: Snapshot,
  presence: Presence,
  channel_deleted: ChannelDeleted,
  subscription_ended: SubscriptionEnded,
  shutdown: Shutdown,
  token_expiring: TokenExpiring,
  telemetry_event: TelemetryEvent,
  telemetry_summary: TelemetrySummary,
  telemetry_welcome: TelemetryWelcome,
  telemetry_missed: TelemetryMissed,
  client: Client,
  listed_client: ListedClient,
  room: Room,
  channel: Channel,
  channel_in_full: ChannelInFull,
}

const ofCommands = Object.values<CommandShape>(commands).flatMap((shape) => [
  [`${shape.name}_parameters`, shape.parameters] as const,
  [shape.response_format, shape.result] as const,
])

const ofEvents = Object.entries(telemetryEvents).map(([type, { payload }]) => [`telemetry_${type}`, payload] as const)

/** One page for each schema. */
export const schemaPages: readonly Page[] = [...Object.entries(entities), ...ofCommands, ...ofEvents].map(
  ([name, schema]) => ({
    path: `${schemaFolder}/${name}.json`,
    render: () => {
      const head = { $schema: 'https://json-schema.org/draft/2020-12/schema', $id: `${name}.json`, title: name }
      return `${JSON.stringify({ ...head, ...(portable(schema) as object) }, null, 2)}\n`
    },
  }),
)
