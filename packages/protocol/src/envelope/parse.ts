/**
 * Parses the text of a frame into an envelope, or a coded fault (docs/protocol.md#the-envelope).
 *
 * There are two paths with the same result. The usual key order is read by regular expressions for the prefix and
 * `JSON.parse` for the rest, or by a recogniser of small flat payloads that JSON.parse would accept. The grammar makes
 * that safe: if a frame is HEAD + P + `,"metadata":` + M + `}` and JSON.parse accepts P and M as objects, no other
 * reading is possible, so no key is repeated and none is unknown. Any other frame takes the careful path, which
 * decides (`careful.ts`).
 */
import { clientIdPattern, messageIdPattern, namePattern, PM_CHANNEL } from '../names.ts'
import { finish, type Pieces } from '../pieces.ts'
import { compile } from '../schema.ts'
import { TelemetryEvent } from '../telemetry.ts'
import { plainTimestampPattern } from '../timestamp.ts'
import { CURRENT_VERSION, type ProtocolVersions } from '../versions.ts'
import { parseCarefully } from './careful.ts'
import { isDeeperThan } from './depth.ts'
import { BEHIND_TIMESTAMP, glueOf, METADATA } from './encode.ts'
import { endOfFlatObject } from './flat-object.ts'
import { isProperJson, readObject } from './gist.ts'
import { parseMetadata } from './metadata.ts'
import { type EnvelopeFault, fault, type ParsedEnvelope } from './parsed.ts'
import { ClientMetadata, durabilityLevels, type EnvelopeType } from './schema.ts'

/** The limits of parsing. */
export type ReadOptions = {
  /** Arrays and objects nested deeper than this are invalid; the envelope itself is the first level. */
  readonly maxDepth: number
  readonly versions: ProtocolVersions
}

const OPEN = 0x7b
const CLOSE = 0x7d

const VERSION_AND_ID = '{"version":"1.0","id":"'
const usualId = new RegExp(`\\{"version":"1\\.0","id":"${messageIdPattern}`, 'y')
const usualRoute = new RegExp(
  `","type":"(event|private|command|telemetry)","room":"(${namePattern})","channel":"(${namePattern}|\\*)","from":"(${clientIdPattern})","timestamp":"`,
  'y',
)
const usualTimestamp = new RegExp(`${plainTimestampPattern}","payload":(?=\\{)`, 'y')
const checkMetadata = compile(ClientMetadata)

/** Metadata that only ask for an acknowledgement, as most do, with their text. */
const usualMetadata: readonly { readonly text: string; readonly value: Readonly<ClientMetadata> }[] = [
  true as const,
  ...durabilityLevels,
].map((ack) => ({ text: JSON.stringify({ ack }), value: Object.freeze({ ack }) }))

/** The middle of a usual prefix, from the id to the timestamp: type, sender and address of the message. */
export type Route = Pick<ParsedEnvelope, 'type' | 'room' | 'channel' | 'from'> & { readonly text: string }

/**
 * The route of a connection's last frame. Most frames have the same one: comparing is cheaper than parsing, and creates
 * no strings.
 */
export type RouteMemory = { lastRoute: Route | undefined }

/**
 * Parses one frame. Never throws, for any text; takes time linear in its length. `memory` is that of the sending
 * connection.
 */
export function readEnvelope(text: string, options: ReadOptions, memory?: RouteMemory): ParsedEnvelope | EnvelopeFault {
  if (isDeeperThan(text, options.maxDepth)) return tooDeep(options)
  const usual = options.versions.has(CURRENT_VERSION) ? parseUsual(text, memory) : undefined
  return usual ?? finish(parseCarefully(text, options.versions))
}

/** `readEnvelope` in pieces, for a frame that `isLong`. */
export function* readInPieces(text: string, options: ReadOptions): Pieces<ParsedEnvelope | EnvelopeFault> {
  if (isDeeperThan(text, options.maxDepth)) return tooDeep(options)
  yield
  const envelope = yield* parseCarefully(text, options.versions)
  const names = 'fault' in envelope ? undefined : payloadFields[envelope.type]
  if ('fault' in envelope || names === undefined) return envelope
  return { ...envelope, payload: (yield* readObject(envelope.payloadText, names))! }
}

/** The payload members that the bus reads. */
const payloadFields: { readonly [Type in EnvelopeType]?: ReadonlySet<string> } = {
  command: new Set(['name', 'parameters']),
  telemetry: new Set(Object.keys(TelemetryEvent.properties)),
}

const tooDeep = ({ maxDepth }: ReadOptions): EnvelopeFault => ({
  ...fault('invalid_envelope', null, { path: '', expected: `nesting of at most ${maxDepth} levels` }),
  limit: 'depth',
})

/** Parses the usual key order of version 1.0; undefined if this path cannot decide. */
function parseUsual(text: string, memory: RouteMemory | undefined): ParsedEnvelope | undefined {
  const idEnd = endOf(usualId, text, 0)
  if (idEnd < 0) return undefined
  const route = routeAt(text, idEnd, memory)
  if (route === undefined) return undefined
  const timestampStart = idEnd + route.text.length
  const payloadStart = endOf(usualTimestamp, text, timestampStart)
  if (payloadStart < 0) return undefined
  const { type, room, channel, from } = route
  const end = text.length - 1
  const split = endOfPayload(text, payloadStart)
  if (split < 0) return undefined
  const metadata = split === end ? undefined : parseUsualMetadata(text, split + METADATA.length)
  if (metadata === undefined && split !== end) return undefined
  if (
    type === 'private'
      ? channel !== PM_CHANNEL || metadata?.to === undefined
      : type === 'event' && channel === PM_CHANNEL
  ) {
    return undefined
  }
  return {
    id: text.slice(VERSION_AND_ID.length, idEnd),
    type,
    room,
    channel,
    from,
    metadata,
    prefix: text.slice(0, timestampStart),
    suffix: text.slice(payloadStart - BEHIND_TIMESTAMP.length, metadata === undefined ? end : end - 1),
    glue: glueOf(metadata),
    payloadText: text.slice(payloadStart, split),
  }
}

/**
 * The end of the match of a sticky expression at `start`, or -1. `test` allocates nothing, while `exec` creates a list
 * and a string for each group.
 */
function endOf(expression: RegExp, text: string, start: number): number {
  expression.lastIndex = start
  return expression.test(text) ? expression.lastIndex : -1
}

/** The route at `start`: the last one, or a new one, which then becomes the last. */
function routeAt(text: string, start: number, memory: RouteMemory | undefined): Route | undefined {
  const last = memory?.lastRoute
  if (last !== undefined && text.startsWith(last.text, start)) return last
  const end = endOf(usualRoute, text, start)
  if (end < 0) return undefined
  usualRoute.lastIndex = 0
  // Sliced from a copy: a remembered slice of the frame would keep all of it in memory.
  const [copy, type, room, channel, from] = usualRoute.exec(copyOf(text.slice(start, end))) as unknown as RouteMatch
  const route = { text: copy, type, room, channel, from }
  if (memory !== undefined) memory.lastRoute = route
  return route
}

type RouteMatch = [text: string, type: EnvelopeType, room: string, channel: string, from: string]

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const copyOf = (text: string): string => decoder.decode(encoder.encode(text))

/**
 * The metadata from `start` to the last brace but one. White space around it is left to the careful path, so that both
 * cut the same bytes.
 */
function parseUsualMetadata(text: string, start: number): Readonly<ClientMetadata> | undefined {
  const end = text.length - 1
  // Compared within the text: a lookup in a map would cost a copy and a hash of it.
  for (const usual of usualMetadata) {
    if (end - start === usual.text.length && text.startsWith(usual.text, start)) return usual.value
  }
  if (text.charCodeAt(start) !== OPEN || text.charCodeAt(end - 1) !== CLOSE) return undefined
  const read = parseMetadata(text.slice(start, end))
  if (read === undefined || checkMetadata(read.value) !== undefined) return undefined
  return read.repeated === undefined ? read.value : undefined
}

/**
 * The end of the payload that begins at `start`, a valid JSON object followed by the metadata or the last brace; -1 if
 * this path cannot decide.
 */
function endOfPayload(text: string, start: number): number {
  const end = text.length - 1
  if (text.charCodeAt(end) !== CLOSE) return -1
  const flatEnd = endOfFlatObject(text, start)
  if (flatEnd >= 0) return flatEnd === end || text.startsWith(METADATA, flatEnd) ? flatEnd : -1
  const split = splitOf(text, start)
  return text.charCodeAt(split - 1) === CLOSE && isProperJson(text.slice(start, split)) ? split : -1
}

/**
 * The end of the payload if it is one: before the metadata, or before the last brace. A search for a character is ten
 * times as fast as for a word, and a search for a word is eight times as fast forwards as backwards.
 */
function splitOf(text: string, payloadStart: number): number {
  const end = text.length - 1
  if (text.indexOf('{', payloadStart + 1) < 0) return end
  const first = text.indexOf(METADATA, payloadStart)
  if (first < 0) return end
  return text.indexOf(METADATA, first + 1) < 0 ? first : text.lastIndexOf(METADATA)
}
