/**
 * The schema of the envelope of protocol 1.0: the source of the type, the JSON Schema and the checker
 * (docs/protocol.md#the-envelope).
 */
import Type, { type Static } from 'typebox'
import { clientIdPattern, messageIdPattern, namePattern, PM_CHANNEL } from '../names.ts'
import { positionPattern } from '../position.ts'
import { busTimePattern } from '../timestamp.ts'

const text = (pattern: string, description: string) => Type.String({ pattern: `^(?:${pattern})$`, description })

/** A message id on the wire. */
export const MessageId = text(
  messageIdPattern,
  'An id: `arq_` and 1 to 64 of A-Z a-z 0-9 _ -. Unique for its sender; usually a UUIDv7 or ULID after the prefix.',
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

/** A timestamp as a client may write it. */
export const Timestamp = Type.Unsafe<string>({
  type: 'string',
  format: 'timestamp',
  description:
    'A date-time of ISO 8601, such as `2026-11-21T12:00:00Z`: a real date, `T`, a time, and `Z`, an offset, or nothing for UTC.',
})

/** A time as the bus writes it. */
export const BusTime = Type.Unsafe<string>({
  type: 'string',
  format: 'date-time',
  pattern: `^${busTimePattern}$`,
  description: 'ISO 8601 with milliseconds and `Z`.',
})

/** A position in a log. */
export const PositionText = text(
  positionPattern,
  'A position, `<ms>-<n>`: opaque except for `n`, which counts without a gap.',
)

/** Any JSON object. Programs that generate types take an object without `additionalProperties` for an empty one. */
export const JsonObject = Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true })

/** The levels that an acknowledgement can confirm, weakest first (docs/protocol.md#acknowledgement). */
export const durabilityLevels = ['memory', 'stored', 'disk'] as const

/** A durability level. */
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

/**
 * W3C Trace Context, level 1: version 00 ends with the flags, later ones may continue; `ff` is no valid version, and
 * ids of zeros are invalid.
 */
const traceIds = '-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}'
const traceparentPattern = `00${traceIds}|(?!00|ff)[0-9a-f]{2}${traceIds}(?:-[!-~]*)?`

const busMetadata = {
  ack: Type.Optional(Acknowledge),
  to: Type.Optional(Recipients),
  cause: Type.Optional(text(messageIdPattern, 'The id of the message that this one replies to.')),
  key: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 256,
      description: 'A newer message with the same key replaces this one, for consumers that keep only the latest.',
    }),
  ),
  traceparent: Type.Optional(text(traceparentPattern, 'W3C Trace Context, passed on as sent.')),
}

/** True for a metadata key that the bus reads, or refuses. */
export const isBusKey = (key: string): boolean =>
  Object.hasOwn(busMetadata, key) || key === 'position' || key === 'provisional' || key.startsWith('arq_')

/**
 * Metadata from a client: the keys of the bus are checked, keys that only the server may set are refused, all others
 * are application-defined.
 */
export const ClientMetadata = Type.Unsafe<ClientMetadata>({
  type: 'object',
  properties: { ...busMetadata, position: false, provisional: false },
  patternProperties: { '^arq_': false },
  additionalProperties: true,
  description: 'Data beside the content: the bus reads the keys below, all others are application-defined.',
})

/** The metadata keys of the bus that a client may set; any other key is application-defined. */
export type ClientMetadata = {
  /** Asks for an acknowledgement: once the log has the message, at a level, or at a level with replicas. */
  ack?: Static<typeof Acknowledge>
  /** The recipients of a private message. */
  to?: Static<typeof Recipients>
  /** The id of the message that this one replies to. */
  cause?: string
  /** A newer message with the same key replaces this one. */
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
  from: text(clientIdPattern, 'The client id of the sender. It must be that of the connection. `arqonbus` is the bus.'),
  timestamp: Timestamp,
  payload: Type.Unsafe<Record<string, unknown>>({
    ...JsonObject,
    description: 'The content, delivered byte for byte.',
  }),
}

/**
 * Type `private` requires the channel `pm` and recipients; type `event` requires any other channel
 * (docs/protocol.md#private-messages).
 */
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

/** An envelope as the bus delivers it: with the server's metadata keys, and possibly with fields of later versions. */
export const DeliveredEnvelope = Type.Object({
  ...fields,
  timestamp: Type.Unsafe<string>({ ...BusTime, description: 'When the bus accepted it: milliseconds, `Z`.' }),
  metadata: Type.Optional(
    Type.Unsafe<DeliveredMetadata>({
      type: 'object',
      properties: {
        ...busMetadata,
        position: text(positionPattern, 'The position of the message in its log. It is the last key.'),
        provisional: Type.Literal(true, {
          description:
            'The external log is unreachable: no position, no guaranteed order. A copy with a position follows and is the message.',
        }),
      },
      additionalProperties: true,
    }),
  ),
})

/** Metadata of a delivered envelope. */
export type DeliveredMetadata = ClientMetadata & {
  /** The position of the message in its log. */
  position?: string
  /**
   * True if the external log was unreachable, so that the message has no position
   * (docs/protocol.md#while-the-log-is-unavailable).
   */
  provisional?: true
}

/** An envelope as the bus delivers it. */
export type DeliveredEnvelope = Static<typeof DeliveredEnvelope>
