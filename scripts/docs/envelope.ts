/** `docs/reference/envelope.md`: the envelope, and the notices of the bus, from their schemas. */

import {
  ChannelDeleted,
  ClientMetadata,
  DeliveredEnvelope,
  type DeliveredMetadata,
  Envelope,
  Gap,
  Presence,
  PublishResult,
  Reply,
  Shutdown,
  Snapshot,
  SubscriptionEnded,
  TelemetryEvent,
  TokenExpiring,
  Welcome,
} from '@arqonbus/protocol'
import type { TSchema } from 'typebox'
import { linkTo } from './known-schemas.ts'
import { generatedFrom, type Page, page, table } from './page.ts'
import { type Field, fields, fieldsInFull, meaning, type Schema, typeText } from './schema-text.ts'

/** Metadata keys that only the server sets. */
const serverKeys: readonly (keyof DeliveredMetadata)[] = ['position', 'provisional']

/** The reference of the envelope. */
export const envelopePage: Page = {
  path: 'docs/reference/envelope.md',
  render: () => {
    const delivered = fields(DeliveredEnvelope as Schema).find(({ name }) => name === 'metadata')!.schema
    return page(
      generatedFrom('`packages/protocol/src/envelope/schema.ts`, `replies.ts` and `telemetry.ts`'),
      '# The envelope',
      'Every frame, in both directions, is one JSON object: the envelope. [The protocol](../protocol.md#the-envelope) describes how it is parsed and delivered; this page lists its fields. As JSON Schemas: [`schemas/`](schemas/).',
      '## As a client sends it',
      fieldTable(fields(Envelope as Schema)),
      'No other field is allowed. `private` goes to the channel `pm` and needs `metadata.to`; `event` goes to any other channel.',
      '### Metadata from a client',
      `${fieldTable(fields(ClientMetadata as Schema))}`,
      `Set by the server only, and refused from clients: ${serverKeys.map((key) => `\`${key}\``).join(', ')} and every key that begins with \`arq_\`. All other keys are application-defined.`,
      '## As it is delivered',
      'The same fields, with payload and metadata byte for byte, and:',
      fieldTable([
        ...fields(DeliveredEnvelope as Schema).filter(({ name }) => name === 'timestamp'),
        ...fields(delivered)
          .filter(({ name }) => serverKeys.includes(name))
          .map((field) => ({ ...field, name: `metadata.${field.name}` })),
      ]),
      'Receivers ignore unknown fields and metadata keys.',
      ...notices.flatMap(({ title, text, schema }) => [`## ${title}`, text, forms(schema)]),
    )
  },
}

const notices: readonly { title: string; text: string; schema: TSchema }[] = [
  {
    title: 'A reply',
    text: 'The payload of a `command_response`, in room `arqonbus`, channel `control`: the reply to one frame. The schema is [`reply.json`](schemas/reply.json).',
    schema: Reply,
  },
  {
    title: 'The result of a publish',
    text: 'The result of a message that asked for an acknowledgement (`metadata.ack`), with the `response_format` [`publish_result`](schemas/publish_result.json).',
    schema: PublishResult,
  },
  {
    title: 'Welcome',
    text: 'The payload of the first frame from the bus, a `system` envelope in room `arqonbus`, channel `control`: [`welcome.json`](schemas/welcome.json).',
    schema: Welcome,
  },
  {
    title: 'A gap notice',
    text: 'The payload of a `system` envelope in the affected channel, before its next message: this subscription missed messages in between. [`gap.json`](schemas/gap.json).',
    schema: Gap,
  },
  {
    title: 'A snapshot has been sent',
    text: 'The payload of a `system` envelope at the address of the subscription, behind the messages of its snapshot. [`snapshot.json`](schemas/snapshot.json).',
    schema: Snapshot,
  },
  {
    title: 'A presence event',
    text: 'The payload of a `system` envelope in a channel, or in `room:*`, for subscribers with `presence`: who is there. [`presence.json`](schemas/presence.json).',
    schema: Presence,
  },
  {
    title: 'A channel is deleted',
    text: 'The payload of a `system` envelope in the channel, for subscribers of its whole room. [`channel_deleted.json`](schemas/channel_deleted.json).',
    schema: ChannelDeleted,
  },
  {
    title: 'A subscription has ended',
    text: 'The payload of a `system` envelope at the address of the subscription: `room:channel`, or `room:*`. [`subscription_ended.json`](schemas/subscription_ended.json).',
    schema: SubscriptionEnded,
  },
  {
    title: 'The shutdown notice',
    text: 'The payload of a `system` envelope in room `arqonbus`, channel `control`: the bus is about to close the connection with 1012. [`shutdown.json`](schemas/shutdown.json).',
    schema: Shutdown,
  },
  {
    title: 'A token expires',
    text: 'The payload of a `system` envelope in room `arqonbus`, channel `control`: the token of the connection expires soon. [`token_expiring.json`](schemas/token_expiring.json).',
    schema: TokenExpiring,
  },
  {
    title: 'A telemetry event',
    text: 'The payload of an envelope of type `telemetry`, to `integriguard:telemetry-stream`: [`telemetry_event.json`](schemas/telemetry_event.json). Those of the bus itself: [telemetry events](telemetry.md).',
    schema: TelemetryEvent,
  },
]

const forms = (schema: Schema): string =>
  (schema.anyOf ?? [schema]).map((form) => fieldTable(fieldsInFull(form, linkToCommands))).join('\n\nor\n\n')

/** A link to the section of an entity on the page of commands. */
const linkToCommands = (schema: Schema): string | undefined => linkTo(schema)?.replace('(#', '(commands.md#')

function fieldTable(list: readonly Field[]): string {
  return table(
    ['field', 'type', 'meaning'],
    list.map(({ name, schema, required }) => [
      `\`${name}\`${required ? '' : ', optional'}`,
      typeText(schema, linkToCommands),
      meaning(schema),
    ]),
  )
}
