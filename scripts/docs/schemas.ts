/** `docs/reference/schemas/*.json`: the JSON Schemas of everything on the wire, for implementations in other languages. */

import {
  Channel,
  ChannelInFull,
  Client,
  type CommandShape,
  commands,
  DeliveredEnvelope,
  Envelope,
  Gap,
  ListedClient,
  PublishResult,
  Reply,
  Room,
  Shutdown,
  TelemetryEvent,
  timestampPattern,
  Welcome,
} from '@arqonbus/protocol'
import type { Page } from './page.ts'

/** The folder; nothing else stands in it. */
export const schemaFolder = 'docs/reference/schemas'

const entities = {
  envelope: Envelope,
  delivered_envelope: DeliveredEnvelope,
  reply: Reply,
  publish_result: PublishResult,
  welcome: Welcome,
  gap: Gap,
  shutdown: Shutdown,
  telemetry_event: TelemetryEvent,
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

/** One page for each schema. */
export const schemaPages: readonly Page[] = [...Object.entries(entities), ...ofCommands].map(([name, schema]) => ({
  path: `${schemaFolder}/${name}.json`,
  render: () => {
    const head = { $schema: 'https://json-schema.org/draft/2020-12/schema', $id: `${name}.json`, title: name }
    return `${JSON.stringify({ ...head, ...(forOthers(schema) as object) }, null, 2)}\n`
  },
}))

/** Our checker has a format of its own for timestamps; others know `date-time`, and check the form by the pattern. */
function forOthers(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null) return schema
  if (Array.isArray(schema)) return schema.map(forOthers)
  const { format, ...rest } = schema as Record<string, unknown>
  const other = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, forOthers(value)]))
  return format === 'timestamp'
    ? { ...other, format: 'date-time', pattern: `^${timestampPattern}$` }
    : { ...other, ...(format !== undefined && { format }) }
}
