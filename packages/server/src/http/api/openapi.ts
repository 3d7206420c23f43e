/**
 * `/openapi.json`: the API as OpenAPI 3.1 describes it, from the table of endpoints and the schemas of the protocol.
 */
import {
  Channel,
  ChannelInFull,
  ChannelTarget,
  Client,
  ClientId,
  CommandInfo,
  DeliveredEnvelope,
  describeCommand,
  Envelope,
  type ErrorCode,
  ExpectedType,
  errorCodes,
  JsonObject,
  MessageId,
  namePattern,
  PositionText,
  PublishResult,
  portable,
  Reply,
  Room,
  RoomName,
  SAMPLE_MS,
  Series,
} from '@arqonbus/protocol'
import { versionInfo } from '../../kit/version.ts'
import type { RateOf } from '../../limits/command-rate.ts'
import { type Endpoint, endpoints, everywhere, pathParameters, withBody } from './endpoints.ts'

type Json = Readonly<Record<string, unknown>>
type ObjectSchema = { readonly properties: object; readonly required: readonly string[] }

/** What a publish takes: an envelope of which only the payload is needed. */
const Message = { ...Envelope, required: ['payload'] }
const Published = {
  ...PublishResult,
  properties: { id: { ...MessageId, description: 'The id of the message.' }, ...PublishResult.properties },
  required: ['id', ...PublishResult.required],
}
/** A message of a batch, which no path says the place of. */
const BatchMessage = { ...Envelope, required: ['room', 'channel', 'payload'] }
const Batch = {
  type: 'object',
  properties: { messages: { type: 'array', minItems: 1, items: BatchMessage } },
  required: ['messages'],
  additionalProperties: false,
}
const Refusal = {
  type: 'object',
  properties: { error: (Reply as unknown as { anyOf: { properties: { error: Json } }[] }).anyOf[1]!.properties.error },
  required: ['error'],
}

const Status = { type: 'integer', description: 'The status that this message would have by itself.' }
const withStatus = ({ properties, required, ...rest }: ObjectSchema) => ({
  ...rest,
  properties: { status: Status, ...properties },
  required: ['status', ...required],
})
const BatchResult = {
  type: 'object',
  properties: {
    results: {
      type: 'array',
      description: 'One for each message, in their order.',
      items: { anyOf: [withStatus(Published), withStatus(Refusal)] },
    },
  },
  required: ['results'],
}

const StreamTicket = {
  type: 'object',
  properties: {
    ticket: { type: 'string', description: 'Opens one stream of the caller.' },
    expires_in_ms: { type: 'integer', description: 'How long it is valid.' },
  },
  required: ['ticket', 'expires_in_ms'],
}

/** Schemas that others refer to. */
const components = {
  Message,
  BatchMessage,
  Published,
  Error: Refusal,
  Envelope: DeliveredEnvelope,
  Client,
  Room,
  Channel,
  ChannelInFull,
  CommandInfo,
}

const references = new Map(
  Object.entries(components).map(([name, schema]) => [JSON.stringify(schema), `#/components/schemas/${name}`]),
)

/** A schema, with references to the schemas that are components of their own. */
function referring(schema: unknown, isTop = false): unknown {
  if (typeof schema !== 'object' || schema === null) return schema
  const reference = isTop ? undefined : references.get(JSON.stringify(schema))
  if (reference !== undefined) return { $ref: reference }
  if (Array.isArray(schema)) return schema.map((one) => referring(one))
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, referring(value)]))
}

const schemaOf = (schema: unknown, isTop = false): unknown => portable(referring(schema, isTop))
const inJson = (schema: unknown) => ({ 'application/json': { schema: schemaOf(schema) } })

const path = { room: RoomName, channel: ChannelTarget }
const identity = [
  parameter(
    'header',
    'Arqonbus-Client-Id',
    ClientId,
    'The client that calls, the same with each call. Without it every call is by another client.',
  ),
  parameter('query', 'client_id', ClientId, 'The same, where no header can be set.'),
  parameter(
    'header',
    'Arqonbus-Session',
    { type: 'string' },
    'The session of that client, from its `welcome`: shows that the caller is that client.',
  ),
]
const ofCommands = [
  parameter('header', 'traceparent', { type: 'string' }, 'W3C Trace Context: the trace that this belongs to.'),
  parameter('header', 'tracestate', { type: 'string' }, 'W3C Trace Context: what goes along with `traceparent`.'),
]
const Key = { type: 'string', minLength: 1, maxLength: 255 }
const ofPublishes = [
  parameter(
    'header',
    'Idempotency-Key',
    Key,
    'The same for each try to send the same: gives messages their ids. Without a client id, all who send this key are one caller.',
  ),
  ...ofCommands,
]
const ChannelAddress = { type: 'string', pattern: `^${namePattern}:${namePattern}$` }
const ofSubscriptions = [
  parameter(
    'query',
    'delivery',
    { type: 'string', enum: ['all', 'latest'] },
    '`latest`: while the reader is too slow, only the newest message of each channel and `metadata.key`.',
  ),
  parameter(
    'query',
    'sample_ms',
    { type: 'integer', minimum: SAMPLE_MS.least, maximum: SAMPLE_MS.most },
    'At most one message in so many milliseconds for each channel and `metadata.key`, the newest. Not with `delivery`.',
  ),
  parameter(
    'query',
    'snapshot',
    { type: 'string', enum: ['latest'] },
    'First the newest message of each `metadata.key`; without effect where the reader has a position.',
  ),
]
const ofManyStreams = [
  ...ofSubscriptions,
  {
    ...parameter(
      'query',
      'channel',
      { type: 'array', items: ChannelAddress, minItems: 1 },
      'The channels, each as `room:channel`.',
    ),
    required: true,
  },
  parameter(
    'query',
    'since',
    { type: 'string' },
    'The id of the last event that one has: what came since comes first.',
  ),
  parameter('header', 'Last-Event-ID', { type: 'string' }, 'The same as `since`, set by browsers that come back.'),
  parameter('query', 'type', ExpectedType, 'The type that all of the channels have, as far as the reader knows.'),
]
const Ticket = parameter(
  'query',
  'ticket',
  { type: 'string' },
  'A ticket of `POST /api/v1/stream-ticket`, in place of a token, a client id and a session.',
)
const ofStreams = [
  ...ofSubscriptions,
  parameter('query', 'since', PositionText, 'The last position that one has: what came since comes first.'),
  parameter(
    'query',
    'since_id',
    MessageId,
    'The id of the message there: a log that has another one is not gone on with.',
  ),
  parameter(
    'header',
    'Last-Event-ID',
    PositionText,
    'The same as `since`, set by browsers that come back. It counts where both are there.',
  ),
  parameter(
    'query',
    'type',
    ExpectedType,
    'The type that the channel has, as far as the reader knows: one of another type is `channel_type_mismatch`.',
  ),
]

function parameter(place: 'path' | 'query' | 'header', name: string, schema: unknown, description?: string) {
  const { description: usual, ...rest } = schema as { description?: string }
  return {
    name,
    in: place,
    ...(place === 'path' && { required: true }),
    description: description ?? usual ?? name,
    schema: schemaOf(rest),
  }
}

/** The parameters of a command in a query: all but those of the path, and the secret one. */
function queryParameters({ path, command }: Endpoint & { kind: 'query' }) {
  const elsewhere = new Set([...pathParameters(path), 'admin_key'])
  const { properties } = command.parameters as unknown as { properties: Record<string, unknown> }
  return Object.entries(properties).flatMap(([name, schema]) =>
    elsewhere.has(name) ? [] : [parameter('query', name, schema)],
  )
}

const parametersOf = (endpoint: Endpoint) => [
  ...pathParameters(endpoint.path).map((name) => parameter('path', name, path[name as keyof typeof path])),
  ...(endpoint.kind === 'query' ? queryParameters(endpoint) : []),
  ...(endpoint.kind === 'stream' ? [...(endpoint.isOfMany ? ofManyStreams : ofStreams), Ticket] : []),
  ...(endpoint.kind === 'publish' || endpoint.kind === 'batch' ? ofPublishes : []),
  ...(endpoint.kind === 'query' || endpoint.kind === 'command' ? ofCommands : []),
  ...(endpoint.kind === 'openapi' ? [] : identity),
]

function bodyOf(endpoint: Endpoint) {
  if (endpoint.kind === 'publish') return { required: true, content: inJson(Message) }
  if (endpoint.kind === 'batch') return { required: true, content: inJson(Batch) }
  if (endpoint.kind === 'command') return { required: false, content: inJson(endpoint.command.parameters) }
  return undefined
}

/** Names the client that a command was run for. */
const requester = {
  'Arqonbus-Client-Id': {
    description: 'The client that the command was run for. Absent where anonymous callers share the answer.',
    schema: schemaOf({ type: 'string' }),
  },
}

function successesOf(endpoint: Endpoint): Json {
  switch (endpoint.kind) {
    case 'publish':
      return {
        200: { description: 'This id was taken before: it is not delivered again.', content: inJson(Published) },
        201: { description: 'The log has it.', content: inJson(Published) },
        202: { description: 'It is delivered, and in no log.', content: inJson(Published) },
      }
    case 'batch':
      return { 200: { description: 'The outcomes of the messages.', content: inJson(BatchResult) } }
    case 'stream':
      return {
        200: {
          description: 'Events, until one side ends.',
          content: { 'text/event-stream': { schema: { type: 'string' } } },
        },
      }
    case 'series':
      return { 200: { description: 'The figures.', content: inJson(Series) } }
    case 'ticket':
      return { 201: { description: 'The ticket.', content: inJson(StreamTicket) } }
    case 'openapi':
      return { 200: { description: 'This document.', content: inJson(JsonObject) } }
    default:
      return {
        200: {
          description: 'The result of the command.',
          headers: requester,
          content: inJson(endpoint.command.result),
        },
      }
  }
}

/** All codes that an endpoint may answer with. */
function codesOf(endpoint: Endpoint): readonly ErrorCode[] {
  if (endpoint.kind === 'openapi') return endpoint.errors
  return [
    ...new Set([
      ...everywhere,
      ...(endpoint.method === 'POST' && endpoint.kind !== 'ticket' ? withBody : []),
      ...endpoint.errors,
    ]),
  ]
}

function failuresOf(endpoint: Endpoint): Json {
  const byStatus = Map.groupBy(codesOf(endpoint), (code) => errorCodes[code].status)
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      {
        description: codes.map((code) => `\`${code}\`: ${errorCodes[code].text}`).join('\n'),
        content: inJson(Refusal),
      },
    ]),
  )
}

/** What `list_commands` says of a command, beside what OpenAPI has fields for. */
function extensionsOf(endpoint: Endpoint, rateOf: RateOf): Json {
  if (endpoint.kind !== 'query' && endpoint.kind !== 'command') return {}
  const info = describeCommand(endpoint.command, rateOf(endpoint.command.name))
  return {
    'x-command': info.name,
    'x-response-format': info.response_format,
    'x-requires-admin': info.requires_admin,
    'x-channel-scope': info.channel_scope,
    ...(info.rate_limit !== undefined && { 'x-rate-limit': info.rate_limit }),
  }
}

function operationOf(endpoint: Endpoint, rateOf: RateOf) {
  const body = bodyOf(endpoint)
  return {
    operationId: endpoint.name,
    tags: [endpoint.kind === 'command' ? 'commands' : 'bus'],
    summary: endpoint.summary,
    ...(endpoint.notes.length > 0 && { description: endpoint.notes.join(' ') }),
    parameters: parametersOf(endpoint),
    ...(body !== undefined && { requestBody: body }),
    responses: { ...successesOf(endpoint), ...failuresOf(endpoint) },
    ...extensionsOf(endpoint, rateOf),
  }
}

/** The document. Without rates these are not shown. */
export function openapiDocument(rateOf: RateOf = () => null): Json {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const endpoint of endpoints) {
    paths[endpoint.path] ??= {}
    paths[endpoint.path]![endpoint.method.toLowerCase()] = operationOf(endpoint, rateOf)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'ArqonBus',
      version: versionInfo.version,
      description: 'Publish, read and stream the messages of an ArqonBus by HTTP.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'The HTTP port of the bus.' }],
    tags: [
      { name: 'bus', description: 'Messages, channels, clients and the bus itself.' },
      { name: 'commands', description: 'The commands of the protocol, their parameters in the body.' },
    ],
    security: [{}, { token: [] }],
    paths,
    components: {
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description:
            'A token of your issuer, which says who calls; or the admin key of the bus, which raises the call to the role admin.',
        },
      },
      schemas: Object.fromEntries(Object.entries(components).map(([name, schema]) => [name, schemaOf(schema, true)])),
    },
  }
}
