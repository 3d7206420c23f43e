/** The schemas with their own section, so that tables can link to them. */

import {
  Channel,
  ChannelInFull,
  Client,
  CommandInfo,
  DeliveredEnvelope,
  ListedChannel,
  ListedClient,
  Room,
} from '@arqonbus/protocol'
import type { Schema } from './schema-text.ts'

/** The entities of results, by the heading of their section. */
export const entities = {
  client: Client,
  'listed client': ListedClient,
  room: Room,
  channel: Channel,
  'listed channel': ListedChannel,
  'channel in full': ChannelInFull,
  command: CommandInfo,
} as const

const sections = new Map<string, string>([
  ...Object.entries(entities).map(
    ([name, schema]) => [JSON.stringify(schema), `[${name}](#${name.replaceAll(' ', '-')})`] as const,
  ),
  [JSON.stringify(DeliveredEnvelope), '[envelope](envelope.md#as-it-is-delivered)'],
])

/** A link to the section of a schema; undefined if it has none. */
export const linkTo = (schema: Schema): string | undefined => sections.get(JSON.stringify(schema))
