/**
 * Parses the text of a frame into an envelope, or a coded fault (docs/protocol.md#the-envelope).
 *
 * There are two paths with the same result. The usual key order is read by regular expressions for the prefix and
 * `JSON.parse` for the rest, or by a recogniser of small flat payloads that JSON.parse would accept. The grammar makes
 * that safe: if a frame is HEAD + P + `,"metadata":` + M + `}` and JSON.parse accepts P and M as objects, no other
 * reading is possible, so no key is repeated and none is unknown. Any other frame takes the careful path, which
 * decides.
 *
 * Nothing is encoded again: a delivered envelope consists of slices of the received one, so payload and metadata are
 * unchanged, byte for byte.
 */
import type { ErrorCode } from '../codes.ts'
import { areAny, faultDetails } from '../faults.ts'
import { clientIdPattern, isMessageId, messageIdPattern, namePattern, PM_CHANNEL } from '../names.ts'
import { finish, type Pieces } from '../pieces.ts'
import { compile, type Fault, pointer } from '../schema.ts'
import { TelemetryEvent } from '../telemetry.ts'
import { plainTimestampPattern } from '../timestamp.ts'
import { CURRENT_VERSION, type ProtocolVersions } from '../versions.ts'
import { countUpTo, isDeeperThan } from './depth.ts'
import { endOfFlatObject } from './flat-object.ts'
import {
  gistOf,
  isLarge,
  isObject,
  isObjectText,
  isProperJson,
  parse,
  readAll,
  readObject,
  readScalar,
} from './gist.ts'
import { faultInJson } from './json-fault.ts'
import { hasRepeatedName, type Member, membersOf, nameOf, readMembers, repeatedName } from './json-members.ts'
import { olderFormHint } from './older-form.ts'
import { ClientMetadata, durabilityLevels, Envelope, type EnvelopeType, isBusKey } from './schema.ts'
import { checkJson } from './walk.ts'

/** A parsed envelope: its fields, and its text in the pieces that `encodeStored` joins. */
export type ParsedEnvelope = {
  readonly id: string
  readonly type: EnvelopeType
  readonly room: string
  readonly channel: string
  readonly from: string
  readonly metadata: Readonly<ClientMetadata> | undefined
  /** The text up to the timestamp's value: version, id, type, room, channel and from, in the usual order. */
  readonly prefix: string
  /** The text from the end of the timestamp's value to where the server's own metadata is inserted. */
  readonly suffix: string
  /** The text between `suffix` and the position's value. */
  readonly glue: string
  /** The payload as it was written; `payloadOf` parses it for the few uses that need its value. */
  readonly payloadText: string
  /**
   * The part of the payload that the bus needs, if it was read in pieces: the members of a command or a telemetry
   * event, without nested values.
   */
  readonly payload?: Readonly<Record<string, unknown>>
}

/** Why a frame is not an envelope. `requestId` is the frame's id if it could be read. */
export type EnvelopeFault = {
  readonly fault: ErrorCode
  readonly requestId: string | null
  readonly details: Readonly<Record<string, unknown>>
  /** The limit that the frame exceeds, if any. */
  readonly limit?: 'depth'
  /** What the fields say whose right values depend on the connection; absent if the frame is no object. */
  readonly said?: Said
}

/** Fields of a frame, of whatever form; undefined if they are missing. */
export type Said = { readonly type: unknown; readonly from: unknown }

/** The limits of parsing. */
export type ReadOptions = {
  /** Arrays and objects nested deeper than this are invalid; the envelope itself is the first level. */
  readonly maxDepth: number
  readonly versions: ProtocolVersions
}

const NO_METADATA = ',"metadata":{"position":"'
const EMPTY_METADATA = '"position":"'
const MORE_METADATA = ',"position":"'
const METADATA = ',"metadata":'
const BEHIND_TIMESTAMP = '","payload":'
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
  const own = text.slice(start, end)
  const read = isLarge(own) ? finish(readLargeMetadata(own)) : readSmallMetadata(own)
  if (read === undefined || checkMetadata(read.value) !== undefined) return undefined
  return read.repeated === undefined ? read.value : undefined
}

/**
 * The metadata that the bus reads, and the first repeated key; undefined if the text is not JSON. `isProper`: the text
 * is known to be JSON.
 */
function* parseMetadata(text: string, isProper = false): Pieces<ParsedMetadata | undefined> {
  return isLarge(text) ? yield* readLargeMetadata(text, isProper) : readSmallMetadata(text)
}

function* readLargeMetadata(text: string, isProper = false): Pieces<ParsedMetadata | undefined> {
  if (!isProper && !(yield* checkJson(text))) return undefined
  const members = yield* readMembers(text, 0)
  const value = yield* gistOf(text, members, (name) => (isBusKey(name) ? readAll : undefined))
  const isDoubled = yield* hasRepeatedName(text, members)
  return { value, repeated: isDoubled ? yield* repeatedName(members) : undefined }
}

function readSmallMetadata(text: string): ParsedMetadata | undefined {
  const value = parse(text) as Readonly<ClientMetadata> | undefined
  if (value === undefined) return undefined
  return { value, repeated: hasEachKeyOnce(value, text) ? undefined : finish(repeatedName(membersOf(text, 0))) }
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

type ParsedMetadata = { readonly value: Readonly<ClientMetadata>; readonly repeated: string | undefined }

/** An object's text has at most one member more than commas; if that is inconclusive, the members are counted. */
function hasEachKeyOnce(value: Readonly<Record<string, unknown>>, text: string): boolean {
  const keys = Object.keys(value).length
  return countUpTo(text, ',', keys) + 1 === keys || membersOf(text, 0).length === keys
}

/**
 * The value of a frame that is not a usual one, and its members; undefined if it is not JSON, and without members if it
 * is not an object.
 */
function* parseFrame(text: string): Pieces<Frame | undefined> {
  if (!isLarge(text)) {
    const value = parse(text)
    if (value === undefined) return undefined
    if (!isObject(value)) return { value: {}, members: undefined, isOnce: true }
    const members = membersOf(text, 0)
    return { value, members, isOnce: Object.keys(value).length === members.length }
  }
  if (!(yield* checkJson(text))) return undefined
  if (!isObjectText(text)) return { value: {}, members: undefined, isOnce: true }
  const members = yield* readMembers(text, 0)
  // Of payload and metadata only the kind is checked here, and the other fields are strings.
  const value = yield* gistOf(text, members, (name) => (fields.has(name) ? readScalar : undefined))
  const isOnce = !(yield* hasRepeatedName(text, members))
  const own = textOf(isOnce ? find('metadata', members) : undefined, text)
  if (own?.startsWith('{') !== true) return { value, members, isOnce }
  const metadata = (yield* parseMetadata(own, true))!
  value.metadata = metadata.value
  return { value, members, isOnce, metadata }
}

type Frame = {
  readonly value: Readonly<Record<string, unknown>>
  readonly members: readonly Member[] | undefined
  /** True if no key is repeated. */
  readonly isOnce: boolean
  /** The metadata, if they were read already. */
  readonly metadata?: ParsedMetadata | undefined
}

const fields: ReadonlySet<string> = new Set(Object.keys(Envelope.properties))

/** Parses any key order and any white space, and reports each fault with its place. */
function* parseCarefully(text: string, versions: ProtocolVersions): Pieces<ParsedEnvelope | EnvelopeFault> {
  const frame = yield* parseFrame(text)
  if (frame === undefined) return fault('invalid_json', null, yield* faultInJson(text))
  const { value, members } = frame
  if (members === undefined) return fault('invalid_envelope', null, { path: '', expected: 'object' })
  const metadataText = textOf(find('metadata', members), text)
  const refused = yield* faultsOf(text, { ...frame, members }, versions, metadataText)
  if (refused !== undefined) return { ...refused, said: { type: value.type, from: value.from } }
  const { id, type, room, channel, from, metadata } = value as Fields
  const payloadText = textOf(find('payload', members), text) ?? '{}'
  const start = BEHIND_TIMESTAMP + payloadText
  return {
    id,
    type,
    room,
    channel,
    from,
    metadata,
    prefix: `{"version":"${CURRENT_VERSION}","id":"${id}","type":"${type}","room":"${room}","channel":"${channel}","from":"${from}","timestamp":"`,
    suffix: metadataText === undefined ? start : start + METADATA + metadataText.slice(0, -1),
    glue: glueOf(metadata),
    payloadText,
  }
}

const withHint = (details: Readonly<Record<string, unknown>>, frame: Readonly<Record<string, unknown>>) => {
  const hint = olderFormHint(frame)
  return hint === undefined ? details : { ...details, hint }
}

type Fields = Omit<ParsedEnvelope, 'prefix' | 'suffix' | 'glue' | 'payloadText'>

/** What is wrong with an object that should be an envelope: the code is that of the first fault. */
function* faultsOf(
  text: string,
  { value, members, isOnce, metadata }: Frame & { readonly members: readonly Member[] },
  versions: ProtocolVersions,
  metadataText: string | undefined,
): Pieces<EnvelopeFault | undefined> {
  const misspelled = isOnce && !members.some(isEscaped) ? [] : yield* misspelledIn(members)
  const version = typeof value.version === 'string' ? versions.get(value.version) : versions.get(CURRENT_VERSION)
  const wrong = isLarge(text) ? faultsInForm(value, versions, 1) : faultsInForm(value, versions)
  const { repeated } =
    (isOnce && isObject(value.metadata) && metadataText !== undefined
      ? (metadata ?? (yield* parseMetadata(metadataText)))
      : undefined) ?? {}
  const faults = [...misspelled, ...wrong]
  if (repeated !== undefined) faults.push({ path: `/metadata/${pointer(repeated)}`, expected: 'to occur once' })
  if (!areAny(faults)) return undefined
  const code = version === undefined && misspelled.length === 0 ? 'unsupported_version' : 'invalid_envelope'
  return fault(code, requestIdOf(value, members), withHint(faultDetails(faults), value))
}

/** The faults in the form of a frame; one of an unknown version is judged by the current one. */
function faultsInForm(
  value: Readonly<Record<string, unknown>>,
  versions: ProtocolVersions,
  most?: number,
): readonly Fault[] {
  const current = versions.get(CURRENT_VERSION)
  const version = typeof value.version === 'string' ? versions.get(value.version) : current
  if (version !== undefined) return version.faultsOf(value, most)
  const expected = `one of ${[...versions.keys()].map((one) => `"${one}"`).join(', ')}`
  const wrong = { path: '/version', expected }
  return most === 1 || current === undefined
    ? [wrong]
    : [wrong, ...current.faultsOf({ ...value, version: CURRENT_VERSION })]
}

const isEscaped = ({ key }: Member): boolean => key.includes('\\')

/** The first name that occurs again, and the first that is spelled with an escape. */
function* misspelledIn(members: readonly Member[]): Pieces<Fault[]> {
  const repeated = yield* repeatedName(members)
  const escaped = members.find(isEscaped)
  return [
    ...(repeated === undefined ? [] : [{ path: `/${pointer(repeated)}`, expected: 'to occur once' }]),
    ...(escaped === undefined
      ? []
      : [{ path: `/${pointer(nameOf(escaped))}`, expected: 'a key spelled without escapes' }]),
  ]
}

/** The id for a refusal: the frame's own, if it has exactly one. */
function requestIdOf(value: Readonly<Record<string, unknown>>, members: readonly Member[]): string | null {
  if (typeof value.id !== 'string' || !isMessageId(value.id)) return null
  return members.filter((member) => nameOf(member) === 'id').length === 1 ? value.id : null
}

const find = (key: string, members: readonly Member[]): Member | undefined => members.find((one) => one.key === key)

const textOf = (member: Member | undefined, text: string): string | undefined =>
  member === undefined ? undefined : text.slice(member.start, member.end)

/** The value of a payload. */
export const payloadOf = ({ payloadText }: Pick<ParsedEnvelope, 'payloadText'>): Readonly<Record<string, unknown>> =>
  JSON.parse(payloadText)

function glueOf(metadata: Readonly<ClientMetadata> | undefined): string {
  if (metadata === undefined) return NO_METADATA
  for (const _ in metadata) return MORE_METADATA
  return EMPTY_METADATA
}

/**
 * The delivered text: the envelope with the server's timestamp, and its position as the last key of the metadata.
 *
 * `timestamp` is ISO 8601 with milliseconds and `Z`; the position is `<ms>-<n>`, and `upToN` is its first half with the
 * dash.
 */
export function encodeStored(
  envelope: Pick<ParsedEnvelope, 'prefix' | 'suffix' | 'glue'>,
  timestamp: string,
  upToN: string,
  n: number,
): string {
  // Few pieces, because each costs. A joined list is one flat string at once; a template is a rope, which its first
  // reader flattens, and slower.
  if (upToN !== lastUpToN || envelope.glue !== lastGlue) joinTail(envelope.glue, upToN)
  return [envelope.prefix, timestamp, envelope.suffix, lastTail, n, '"}}'].join('')
}

let lastGlue = ''
let lastUpToN = ''
let lastTail = ''

/** What precedes the number is the same for most messages of a millisecond. */
function joinTail(glue: string, upToN: string): void {
  lastGlue = glue
  lastUpToN = upToN
  lastTail = [glue, upToN].join('')
}

const fault = (code: ErrorCode, requestId: string | null, details: EnvelopeFault['details']): EnvelopeFault => ({
  fault: code,
  requestId,
  details,
})

/** The delivered text of a message that has no log: the envelope with the server's timestamp, otherwise unchanged. */
export function encodeLive(
  envelope: Pick<ParsedEnvelope, 'prefix' | 'suffix' | 'metadata'>,
  timestamp: string,
): string {
  return `${envelope.prefix}${timestamp}${envelope.suffix}${envelope.metadata === undefined ? '' : '}'}}`
}

/** The delivered text during an outage of the log: with the server's timestamp, and without a position. */
export function encodeProvisional(
  envelope: Pick<ParsedEnvelope, 'prefix' | 'suffix' | 'glue'>,
  timestamp: string,
): string {
  const glue = envelope.glue.slice(0, -'"position":"'.length)
  return `${envelope.prefix}${timestamp}${envelope.suffix}${glue}"provisional":true}}`
}
