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
  newId,
  type Pieces,
  readObject,
} from '@arqonbus/protocol'
import { isoTime } from '../../kit/clock.ts'
import { wrong } from './credentials.ts'

/** Where a message goes to. */
export type Place = { readonly room: string; readonly channel: string }

/** How a message is read. */
type MessageOptions = {
  readonly maxDepth: number
  /** True where the caller has a client id of its own, the same with each call. */
  readonly isNamed: boolean
}

/** Writes the frame of a call, in the name of its client. */
export type FrameFrom = (clientId: string, now: number) => string

const CONTROL = { room: BUS, channel: 'control' }
const envelopeFields: ReadonlySet<string> = new Set(Object.keys(Envelope.properties))

/** A command. `parameters` is JSON text. */
export const commandFrame = (name: string, parameters: string, from: string, now: number): string =>
  `${headOf({ ...CONTROL, from }, 'command', now)},"payload":{"name":"${name}","parameters":${parameters}}}`

/**
 * A message: the body with what it leaves out. Nothing of it is encoded again, and what is no JSON object, or too deep
 * to look into, is left as it is: the reader of frames says what is wrong with it.
 */
export function* readMessage(body: string, place: Place, { maxDepth, isNamed }: MessageOptions): Pieces<FrameFrom> {
  const given = isDeeperThan(body, maxDepth) ? undefined : yield* readObject(body, envelopeFields)
  if (given === undefined) return () => body
  check(given, place, isNamed)
  // An id that comes first is taken along: then the order is the one that is read fastest.
  const lead = leadingId.exec(body)?.[0]
  return (from, now) => {
    let head = ''
    if (!('version' in given)) head += `,"version":"${CURRENT_VERSION}"`
    if (lead !== undefined) head += `,${lead.slice(1, -1)}`
    else if (!('id' in given)) head += `,"id":"${newId()}"`
    if (!('type' in given)) head += ',"type":"event"'
    if (!('room' in given)) head += `,"room":${JSON.stringify(place.room)}`
    if (!('channel' in given)) head += `,"channel":${JSON.stringify(place.channel)}`
    if (!('from' in given)) head += `,"from":"${from}"`
    if (!('timestamp' in given)) head += `,"timestamp":"${isoTime(now)}"`
    if (head === '') return body
    let isEmpty = true
    for (const _ in given) isEmpty = false
    return `{${head.slice(1)}${isEmpty ? '' : ','}${body.slice(lead?.length ?? body.indexOf('{') + 1)}`
  }
}

const leadingId = new RegExp(`^\\{"id":"${messageIdPattern}",`)

/** What only the path and the caller tell to be wrong. */
function check(given: Readonly<Record<string, unknown>>, { room, channel }: Place, isNamed: boolean): void {
  const faults: Fault[] = []
  for (const [name, there] of Object.entries({ room, channel })) {
    if (given[name] !== undefined && given[name] !== there)
      faults.push({ path: `/${name}`, expected: `${there}, as the path says, or none` })
  }
  if (given.type === 'command') faults.push({ path: '/type', expected: 'a message: commands have paths of their own' })
  if (areAny(faults)) throw new CodedError('invalid_envelope', faultDetails(faults))
  // A message with its own id may be sent again, and without a client id the repetition would have another sender.
  if (given.id !== undefined && !isNamed)
    throw wrong('headers/arqonbus-client-id', 'your client id: an id is known again by it and its sender')
}

const headOf = ({ room, channel, from }: Place & { readonly from: string }, type: string, now: number): string =>
  `{"version":"${CURRENT_VERSION}","id":"${newId()}","type":"${type}","room":"${room}","channel":"${channel}","from":"${from}","timestamp":"${isoTime(now)}"`
