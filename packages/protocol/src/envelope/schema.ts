/** The envelope of protocol 1.0 as a schema: one source for the type, the JSON Schema and the checker (protocol §2). */
import Type, { type Static } from 'typebox'
import { clientIdPattern, messageIdPattern, namePattern, PM_CHANNEL } from '../names.ts'
import { positionPattern } from '../position.ts'

const text = (pattern: string, description: string) => Type.String({ pattern: `^(?:${pattern})$`, description })

/** A message id on the wire. */
export const MessageId = text(
  messageIdPattern,
  'An id: `arq_` and 1 to 64 of A-Z a-z 0-9 _ -. Its sender makes it unique; a UUIDv7 or ULID behind the prefix is the custom.',
)

/** A client id on the wire. */
export const ClientId = text(
  clientIdPattern,
  'A client id: 1 to 128 of A-Z a-z 0-9 _ . @ -, the first a letter or digit.',
)

/** A room's name on the wire. */
export const RoomName = text(namePattern, 'A room: 1 to 64 of A-Z a-z 0-9 _ . -, the first a letter or digit.')

/** A channel's name on the wire. */
export const ChannelName = text(namePattern, 'A channel: 1 to 64 of A-Z a-z 0-9 _ . -, the first a letter or digit.')

/** A channel's name, or `*` for the whole room. */
export const ChannelTarget = text(`${namePattern}|\\*`, 'A channel of the room, or `*`: the whole room.')

/** An instant. */
export const Timestamp = Type.Unsafe<string>({
  type: 'string',
  format: 'timestamp',
  description:
    'ISO 8601 in its RFC 3339 profile: a real date, upper-case `T`, seconds, optional fraction, `Z` or an offset.',
})

/** A position in a log. */
export const PositionText = text(
  positionPattern,
  'A position, `<ms>-<n>`: opaque but for `n`, which counts without a hole.',
)

/** Any JSON object. */
export const JsonObject = Type.Unsafe<Record<string, unknown>>({ type: 'object' })

/** What an acknowledgement can promise, weakest first (protocol §5). */
export const durabilityLevels = ['memory', 'stored', 'disk'] as const

/** A durability level, by name. */
export type DurabilityLevel = (typeof durabilityLevels)[number]

/** One of the durability levels. */
export const Durability = Type.Unsafe<DurabilityLevel>({
  enum: [...durabilityLevels],
  description: '`memory` (this process has it), `stored` (the external log has it) or `disk` (written to disk there).',
})

const Acknowledge = Type.Union(
  [
    Type.Boolean(),
    Durability,
    Type.Object(
      { level: Type.Optional(Durability), replicas: Type.Optional(Type.Integer({ minimum: 0, maximum: 16 })) },
      { additionalProperties: false },
    ),
  ],
  {
    description: '`true`, a durability level, or `{ level, replicas }`: asks for a reply once the log has the message',
  },
)

const Recipients = Type.Union([ClientId, Type.Array(ClientId, { minItems: 1, maxItems: 32, uniqueItems: true })], {
  description: 'the recipients of a private message: a client id, or a list of 1 to 32 different ones',
})

/** W3C Trace Context, level 1: version 00 ends with the flags, later ones may go on; `ff` is no version, and ids of zeros are none. */
const traceIds = '-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}'
const traceparentPattern = `00${traceIds}|(?!00|ff)[0-9a-f]{2}${traceIds}(?:-[!-~]*)?`

const busMetadata = {
  ack: Type.Optional(Acknowledge),
  to: Type.Optional(Recipients),
  cause: Type.Optional(text(messageIdPattern, 'The id of the message that this one answers.')),
  key: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 256,
      description: 'A newer message of the same key replaces this one, for those who keep the latest.',
    }),
  ),
  traceparent: Type.Optional(text(traceparentPattern, 'W3C Trace Context, passed on as sent.')),
}

/** True for a key of metadata that means something to the bus, or is refused by it. */
export const isBusKey = (key: string): boolean =>
  Object.hasOwn(busMetadata, key) || key === 'position' || key === 'provisional' || key.startsWith('arq_')

/** Metadata from a client: the keys of the bus are checked, those of the server alone are refused, all others are the users'. */
export const ClientMetadata = Type.Unsafe<ClientMetadata>({
  type: 'object',
  properties: { ...busMetadata, position: false, provisional: false },
  patternProperties: { '^arq_': false },
  description: 'What goes with the content: the keys below are for the bus, all others are yours.',
})

/** The metadata keys that a client may set for the bus; beside them any key of its own. */
export type ClientMetadata = {
  /** Asks for an acknowledgement: as soon as the log has it, at a level, or at a level with replicas. */
  ack?: Static<typeof Acknowledge>
  /** The recipients of a private message. */
  to?: Static<typeof Recipients>
  /** The id that this message answers. */
  cause?: string
  /** What a newer message of the same key replaces. */
  key?: string
  /** W3C Trace Context. */
  traceparent?: string
  [users: string]: unknown
}

/** The envelope types; `system` and `command_response` are sent by the server only. */
export const envelopeTypes = ['event', 'system', 'command', 'private', 'command_response', 'telemetry'] as const

/** The type of an envelope. */
export type EnvelopeType = (typeof envelopeTypes)[number]

const fields = {
  version: Type.Literal('1.0', { description: 'The version of the protocol.' }),
  id: MessageId,
  type: Type.Unsafe<EnvelopeType>({
    enum: [...envelopeTypes],
    description: 'What kind of envelope this is. Clients send `event`, `command`, `private` and `telemetry`.',
  }),
  room: RoomName,
  channel: ChannelTarget,
  from: text(
    clientIdPattern,
    'The client id of the sender: that of the connection, so nobody speaks for another. `arqonbus` is the bus.',
  ),
  timestamp: Timestamp,
  payload: Type.Unsafe<Record<string, unknown>>({
    type: 'object',
    description: 'The content: forwarded byte for byte.',
  }),
}

/** `private` goes to the channel `pm` and names its recipients; `event` goes to any other channel (protocol §4). */
const privateRules = [
  {
    if: { properties: { type: { const: 'private' } }, required: ['type'] },
    then: {
      properties: { channel: { const: PM_CHANNEL }, metadata: { properties: { to: true }, required: ['to'] } },
      required: ['metadata'],
    },
  },
  {
    if: { properties: { type: { const: 'event' } }, required: ['type'] },
    then: {
      properties: {
        channel: { not: { const: PM_CHANNEL }, description: 'another channel than `pm`, which takes type `private`' },
      },
    },
  },
]

/** An envelope as a client sends it. */
export const Envelope = Type.Object(
  { ...fields, metadata: Type.Optional(ClientMetadata) },
  { additionalProperties: false, allOf: privateRules },
)

/** An envelope as a client sends it. */
export type Envelope = Static<typeof Envelope>

/** An envelope as the bus delivers it: the server's metadata keys are there too, and fields of later versions may be. */
export const DeliveredEnvelope = Type.Object({
  ...fields,
  timestamp: Type.Unsafe<string>({ ...Timestamp, description: 'When the bus accepted it: milliseconds, `Z`.' }),
  metadata: Type.Optional(
    Type.Unsafe<DeliveredMetadata>({
      type: 'object',
      properties: {
        ...busMetadata,
        position: text(positionPattern, 'Where the message stands in its log. It is the last key.'),
        provisional: Type.Literal(true, {
          description: 'The log is away: no position, no promise of order. The copy with a position is the message.',
        }),
      },
    }),
  ),
})

/** Metadata of a delivered envelope. */
export type DeliveredMetadata = ClientMetadata & {
  /** Where the message stands in its log. */
  position?: string
  /** True where the log is away and the message has no position (protocol §5). */
  provisional?: true
}

/** An envelope as the bus delivers it. */
export type DeliveredEnvelope = Static<typeof DeliveredEnvelope>
