/**
 * Calls as the frames that a client would send: the bus reads these as it reads those, so that the same checks hold.
 */
import {
  areAny,
  BUS,
  CodedError,
  CURRENT_VERSION,
  Envelope,
  type Fault,
  faultDetails,
  isDeeperThan,
  messageIdPattern,
  nameOf,
  newId,
  type Pieces,
  readMembers,
  readObject,
} from '@arqonbus/protocol'
import { isoTime } from '../../kit/clock.ts'
import { wrong } from './credentials.ts'
import { keyedId, ownId } from './idempotency.ts'
import { type Trace, traceMembers } from './trace-headers.ts'

/** Where a message goes to. */
export type Place = { readonly room: string; readonly channel: string }

/** How a message is read. */
export type MessageOptions = {
  readonly maxDepth: number
  /** True where the caller has a client id of its own, the same with each call. */
  readonly isNamed: boolean
  /** What gives the messages of the request their ids. */
  readonly key: string | undefined
  readonly trace: Trace | undefined
}

/** What is known of a message besides its text. */
type Addressed = {
  /** Undefined where the message itself has to say it. */
  readonly place: Place | undefined
  /** The number of the message in its request, from 0. */
  readonly index: number
}

/** Writes the frame of a call, in the name of its client. */
export type FrameFrom = (clientId: string, now: number) => string

const CONTROL = { room: BUS, channel: 'control' }
const envelopeFields: ReadonlySet<string> = new Set(Object.keys(Envelope.properties))

/** A command. `parameters` is JSON text. */
export const commandFrame = (name: string, parameters: string, trace?: Trace): FrameFrom => {
  const metadata = trace === undefined ? '' : `,"metadata":{${traceMembers(trace)}}`
  return (from, now) =>
    `${headOf({ ...CONTROL, from }, 'command', now)},"payload":{"name":"${name}","parameters":${parameters}}${metadata}}`
}

type Given = Readonly<Record<string, unknown>>

/**
 * A message: the body with what it leaves out. Nothing of it is encoded again, and what is no JSON object, or too deep
 * to look into, is left as it is: the reader of frames says what is wrong with it.
 */
export function* readMessage(
  text: string,
  { place, index }: Addressed,
  { maxDepth, isNamed, key, trace }: MessageOptions,
): Pieces<FrameFrom> {
  const given = isDeeperThan(text, maxDepth) ? undefined : yield* readObject(text, envelopeFields)
  if (given === undefined) return () => text
  refuseFaults([...(place === undefined ? namesIn(given) : placeIn(given, place)), ...typeIn(given)])
  checkId(given, { isNamed, key })
  const { room, channel } = place ?? (given as Place)
  const body = trace === undefined ? text : yield* traced(text, given, trace)
  // An id that comes first is taken along: then the order is the one that is read fastest.
  const lead = leadingId.exec(body)?.[0]
  return (from, now) => {
    let head = ''
    if (!('version' in given)) head += `,"version":"${CURRENT_VERSION}"`
    if (lead !== undefined) head += `,${lead.slice(1, -1)}`
    else if (!('id' in given))
      head += `,"id":"${key === undefined ? newId() : keyedId(key, { from, room, channel, index })}"`
    if (!('type' in given)) head += ',"type":"event"'
    if (!('room' in given)) head += `,"room":${JSON.stringify(room)}`
    if (!('channel' in given)) head += `,"channel":${JSON.stringify(channel)}`
    if (!('from' in given)) head += `,"from":"${from}"`
    if (!('timestamp' in given)) head += `,"timestamp":"${isoTime(now)}"`
    if (head === '') return body
    const rest = body.slice(lead?.length ?? body.indexOf('{') + 1)
    return `{${head.slice(1)}${rest.trimStart().startsWith('}') ? '' : ','}${rest}`
  }
}

const leadingId = new RegExp(`^\\{"id":"${messageIdPattern}",`)

/** The text with a trace in its metadata, unless it has one there. */
function* traced(text: string, given: Given, trace: Trace): Pieces<string> {
  const members = traceMembers(trace)
  const isEmpty = Object.keys(given).length === 0
  if (!('metadata' in given)) return withLast(text, `${isEmpty ? '' : ','}"metadata":{${members}}`)
  const own = (yield* readMembers(text, 0)).findLast((member) => nameOf(member) === 'metadata')!
  if (text[own.start] !== '{') return text
  const keys = yield* readMembers(text, own.start)
  if (keys.some((member) => traceKeys.has(nameOf(member)))) return text
  return `${text.slice(0, own.start + 1)}${members}${keys.length === 0 ? '' : ','}${text.slice(own.start + 1)}`
}

const traceKeys: ReadonlySet<string> = new Set(['traceparent', 'tracestate'])

/** Puts a member behind the last one of an object. */
function withLast(text: string, member: string): string {
  const end = text.lastIndexOf('}')
  return `${text.slice(0, end).trimEnd()}${member}${text.slice(end)}`
}

/** What only the path tells to be wrong. */
const placeIn = (given: Given, { room, channel }: Place): Fault[] =>
  Object.entries({ room, channel })
    .filter(([name, there]) => given[name] !== undefined && given[name] !== there)
    .map(([name, there]) => ({ path: `/${name}`, expected: `${there}, as the path says, or none` }))

/** Without a path, the message says where it goes to. */
const namesIn = (given: Given): Fault[] =>
  ['room', 'channel']
    .filter((name) => typeof given[name] !== 'string')
    .map((name) => ({ path: `/${name}`, expected: `the ${name} of the message` }))

const typeIn = (given: Given): Fault[] =>
  given.type === 'command' ? [{ path: '/type', expected: 'a message: commands have paths of their own' }] : []

function refuseFaults(faults: readonly Fault[]): void {
  if (areAny(faults)) throw new CodedError('invalid_envelope', faultDetails(faults))
}

/** Who may give a message an id of its own. */
function checkId(given: Given, { isNamed, key }: Pick<MessageOptions, 'isNamed' | 'key'>): void {
  if (given.id === undefined) return
  if (key !== undefined) throw ownId()
  // A message with its own id may be sent again, and without a client id the repetition would have another sender.
  if (!isNamed) throw wrong('headers/arqonbus-client-id', 'your client id: an id is known again by it and its sender')
}

const headOf = ({ room, channel, from }: Place & { readonly from: string }, type: string, now: number): string =>
  `{"version":"${CURRENT_VERSION}","id":"${newId()}","type":"${type}","room":"${room}","channel":"${channel}","from":"${from}","timestamp":"${isoTime(now)}"`
