/** `docs/reference/telemetry.md`: every event of the bus, from the table of events. */

import {
  type BusEventPayload,
  type BusEventType,
  busEventTypes,
  SUMMARY_EVENT,
  TELEMETRY_TICK_MS,
  TelemetryMissed,
  TelemetrySummary,
  TelemetryWelcome,
  telemetryEvents,
} from '@arqonbus/protocol'
import { linkTo } from './known-schemas.ts'
import { generatedFrom, type Page, page, table } from './page.ts'
import { fields, fieldsInFull, meaning, type Schema, typeText } from './schema-text.ts'

/** An example payload of each type, as the page shows it; a test checks them against the schemas. */
export const eventExamples: { readonly [Type in BusEventType]: BusEventPayload<Type> } = {
  client_connected: { client_id: 'ann', client_type: 'human', resumed: false },
  client_disconnected: {
    client_id: 'ann',
    client_type: 'human',
    connected_ms: 81_250,
    code: 1000,
    reason: 'normal closure',
  },
  channel_created: { client_id: 'ann', room: 'science', channel: 'explore', type: 'general', auto_created: true },
  channel_deleted: { room: 'science', channel: 'explore' },
  channel_joined: { client_id: 'ann', room: 'science', channel: 'explore' },
  channel_left: { client_id: 'ann', room: 'science', channel: '*' },
  message_routed: { room: 'science', channel: 'explore', count: 112 },
  message_rejected: { client_id: 'ann', code: 'system_channel', room: 'arqonbus', channel: 'control', count: 1 },
  rate_limited: { client_id: 'ann', command: 'list_channels', count: 12 },
  slow_consumer: { client_id: 'ann', state: 'behind', count: 1 },
  storage_degraded: { reason: 'connection lost', mode: 'degrade' },
  storage_recovered: {},
  agent_activity: {
    client_id: 'helper',
    screen_name: 'Helper',
    activity: 'message',
    room: 'science',
    channel: 'explore',
    count: 3,
  },
}

/** The reference of telemetry. */
export const telemetryPage: Page = {
  path: 'docs/reference/telemetry.md',
  render: () =>
    page(
      generatedFrom('`packages/protocol/src/telemetry-events.ts` and `telemetry.ts`'),
      '# Telemetry events',
      'Events of the bus, in envelopes of type `telemetry` from `arqonbus` in room `integriguard`. Their payload is `{ "eventType", "payload" }`; the types are listed below, each with the fields of its inner payload. [The guide](../guide/telemetry.md) shows how to subscribe, [the protocol](../protocol.md#telemetry) has the rules for all of them. Receivers ignore unknown types and fields.',
      `Events are sent every ${TELEMETRY_TICK_MS} ms, in the order in which they happened. More than \`ARQONBUS_TELEMETRY_EVENTS_PER_SECOND\` allows wait for the next ticks. Events with a \`count\` count repetitions until they are sent.`,
      table(
        ['type', 'channel', 'when'],
        busEventTypes.map((type) => {
          const { channel, text } = telemetryEvents[type]
          return [`[\`${type}\`](#${type})`, `\`${channel}\``, text]
        }),
      ),
      ...busEventTypes.flatMap((type) => [
        `## ${type}`,
        `${telemetryEvents[type].text} Schema: [\`telemetry_${type}.json\`](schemas/telemetry_${type}.json).`,
        ...fieldsOf(telemetryEvents[type].payload as Schema),
        `\`\`\`json\n${JSON.stringify({ eventType: type, payload: eventExamples[type] })}\n\`\`\``,
      ]),
      `## ${SUMMARY_EVENT}`,
      'Sent in place of events of one type, where more of them than `ARQONBUS_TELEMETRY_MAX_WAITING` would wait, or more than those of a second at a shutdown, in the channel of that type; subscribers of that type receive it too. Schema: [`telemetry_summary.json`](schemas/telemetry_summary.json).',
      ...fieldsOf(TelemetrySummary as Schema),
      '## Frames of the telemetry server',
      'The first one is `welcome`, a `system` envelope in room `arqonbus`, channel `control`: [`telemetry_welcome.json`](schemas/telemetry_welcome.json).',
      table(['field', 'type', 'meaning'], fieldsInFull(TelemetryWelcome as Schema, linkToCommands).map(row)),
      'A subscriber that was too slow and has caught up receives the number of missed events, in an envelope of the same kind: [`telemetry_missed.json`](schemas/telemetry_missed.json).',
      ...fieldsOf(TelemetryMissed as Schema),
    ),
}

const linkToCommands = (schema: Schema): string | undefined => linkTo(schema)?.replace('(#', '(commands.md#')

const row = ({ name, schema, required }: { name: string; schema: Schema; required: boolean }): string[] => [
  `\`${name}\`${required ? '' : ', optional'}`,
  typeText(schema, linkToCommands),
  meaning(schema),
]

const fieldsOf = (schema: Schema): string[] =>
  fields(schema).length === 0 ? ['No fields.'] : [table(['field', 'type', 'meaning'], fields(schema).map(row))]
