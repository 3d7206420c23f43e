/** The careful path of parsing: any key order and any white space, and every fault with its place. */
import { areAny, faultDetails, MOST_FAULTS } from '../faults.ts'
import { isMessageId } from '../names.ts'
import type { Pieces } from '../pieces.ts'
import { type Fault, pointer } from '../schema.ts'
import { CURRENT_VERSION, type ProtocolVersion, type ProtocolVersions } from '../versions.ts'
import { BEHIND_TIMESTAMP, glueOf, METADATA } from './encode.ts'
import { gistOf, isLarge, isObject, isObjectText, parse, readScalar } from './gist.ts'
import { faultInJson } from './json-fault.ts'
import { hasRepeatedName, type Member, membersOf, nameOf, readMembers, repeatedName } from './json-members.ts'
import { type ParsedMetadata, readMetadata } from './metadata.ts'
import { olderFormHint } from './older-form.ts'
import { type EnvelopeFault, fault, type ParsedEnvelope } from './parsed.ts'
import { Envelope } from './schema.ts'
import { checkJson } from './walk.ts'

/** A frame that is an object. */
type Frame = {
  readonly isLarge: boolean
  readonly value: Readonly<Record<string, unknown>>
  readonly members: readonly Member[]
  /** True if no key is repeated. */
  readonly isOnce: boolean
  /** The metadata as they were written, and what was read of them: nothing if they are repeated, or no object. */
  readonly metadataText: string | undefined
  readonly metadata: ParsedMetadata | undefined
}

type Fields = Omit<ParsedEnvelope, 'prefix' | 'suffix' | 'glue' | 'payloadText'>

/** Parses a frame with any key order and any white space. */
export function* parseCarefully(text: string, versions: ProtocolVersions): Pieces<ParsedEnvelope | EnvelopeFault> {
  const frame = yield* readFrame(text)
  if ('fault' in frame) return frame
  const refused = yield* refusalOf(frame, versions)
  if (refused !== undefined) return refused
  const { value, members, metadataText } = frame
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

const fields: ReadonlySet<string> = new Set(Object.keys(Envelope.properties))

/** The members of a frame; a fault if it is not JSON, or not an object. */
function* readFrame(text: string): Pieces<Frame | EnvelopeFault> {
  const large = isLarge(text)
  const whole = large ? undefined : parse(text)
  const isJson = large ? yield* checkJson(text) : whole !== undefined
  if (!isJson) return fault('invalid_json', null, yield* faultInJson(text))
  if (!isObjectText(text)) return fault('invalid_envelope', null, { path: '', expected: 'object' })
  const members = large ? yield* readMembers(text, 0) : membersOf(text, 0)
  // Of payload and metadata of a large frame only the kind is checked here, and the other fields are strings.
  const value = isObject(whole)
    ? whole
    : yield* gistOf(text, members, (name) => (fields.has(name) ? readScalar : undefined))
  const isOnce = large ? !(yield* hasRepeatedName(text, members)) : Object.keys(value).length === members.length
  const metadataText = textOf(find('metadata', members), text)
  const isRead = isOnce && metadataText?.startsWith('{') === true
  const metadata = isRead ? yield* readMetadata(metadataText) : undefined
  if (metadata !== undefined) value.metadata = metadata.value
  return { isLarge: large, value, members, isOnce, metadataText, metadata }
}

/** The refusal of a frame that is no envelope: the code is that of its first fault. */
function* refusalOf(frame: Frame, versions: ProtocolVersions): Pieces<EnvelopeFault | undefined> {
  const { value, members, isOnce, metadata } = frame
  const misspelled = isOnce && !members.some(isEscaped) ? [] : yield* misspelledIn(members)
  const version = versionOf(value, versions)
  const faults = [...misspelled, ...faultsInForm(frame, version, versions)]
  if (metadata?.repeated !== undefined)
    faults.push({ path: `/metadata/${pointer(metadata.repeated)}`, expected: 'to occur once' })
  if (!areAny(faults)) return undefined
  const code = version === undefined && misspelled.length === 0 ? 'unsupported_version' : 'invalid_envelope'
  const hint = olderFormHint(value)
  const details = { ...faultDetails(faults), ...(hint !== undefined && { hint }) }
  return { ...fault(code, requestIdOf(value, members), details), said: { type: value.type, from: value.from } }
}

/** The version that a frame names, or else the current one; undefined if it is not supported. */
const versionOf = ({ version }: Frame['value'], versions: ProtocolVersions): ProtocolVersion | undefined =>
  versions.get(typeof version === 'string' ? version : CURRENT_VERSION)

/** The faults in the form of a frame; one of an unknown version is judged by the current one. */
function faultsInForm(
  { isLarge: large, value }: Frame,
  version: ProtocolVersion | undefined,
  versions: ProtocolVersions,
): readonly Fault[] {
  if (version !== undefined) return version.faultsOf(value, large ? 1 : MOST_FAULTS)
  const expected = `one of ${[...versions.keys()].map((one) => `"${one}"`).join(', ')}`
  const wrong = { path: '/version', expected }
  const others = large ? undefined : versions.get(CURRENT_VERSION)?.faultsOf({ ...value, version: CURRENT_VERSION })
  return [wrong, ...(others ?? [])]
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
