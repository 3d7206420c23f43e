/**
 * Envelopes that come from the bus itself: replies, notices, welcome (docs/protocol.md#the-envelope,
 * docs/protocol.md#replies-and-errors).
 */
import { BUS, type CodedError, CURRENT_VERSION, type EnvelopeType } from '@arqonbus/protocol'
import { type Clock, isoTime } from '../kit/clock.ts'
import { encode } from '../kit/raw-json.ts'
import type { Acknowledged } from '../state/caller.ts'

/** Where frames that concern no channel come from. */
const CONTROL = { room: BUS, channel: 'control' }

/** What a reply answers. */
export type Answered = {
  /** The id of the frame; null where none could be read. */
  readonly requestId: string | null
  /** Of a command: its name, where it is known, and the client that sent it. */
  readonly command?: string | undefined
  readonly requester?: string
}

/** Writes the frames of the bus. */
export type Frames = {
  /** Any envelope of the bus; `payload` is JSON text. */
  envelope(type: EnvelopeType, address: { room: string; channel: string }, payload: string): string
  /** A notice to one client that concerns no channel. */
  notice(payload: object): string
  /** The reply to a frame that did what it asked for. */
  success(answered: Answered, responseFormat: string, result: object): string
  /** The reply to a publish that the log has taken. Written by hand, for it may come with every message. */
  acknowledgement(requestId: string, result: Acknowledged): string
  /** The refusal of a frame. */
  error(answered: Answered, error: CodedError): string
}

/**
 * `node` makes the ids of this node's frames unlike those of any other; it has only characters that are allowed in ids.
 */
export function createFrames(clock: Clock, node: string): Frames {
  const prefix = `arq_${node}_`
  let count = 0
  const head = `{"version":"${CURRENT_VERSION}","id":"${prefix}`
  const upToRequest = rememberingLast(
    (now: number) =>
      `","type":"command_response","room":"${CONTROL.room}","channel":"${CONTROL.channel}","from":"${BUS}","timestamp":"${isoTime(now)}","payload":{"request_id":"`,
  )
  const behindN = createBehindN()
  const upToN = rememberingLast(
    (ms: number) => `","status":"success","response_format":"publish_result","result":{"position":"${ms}-`,
  )
  const envelope: Frames['envelope'] = (type, { room, channel }, payload) =>
    `${head}${++count}","type":"${type}","room":"${room}","channel":"${channel}","from":"${BUS}","timestamp":"${isoTime(clock.now())}","payload":${payload}}`
  const about = ({ requestId, command, requester }: Answered) =>
    `{"request_id":${requestId === null ? 'null' : `"${requestId}"`}${command === undefined ? '' : `,"command":${JSON.stringify(command)}`}${requester === undefined ? '' : `,"requester":"${requester}"`}`
  return {
    envelope,
    notice: (payload) => envelope('system', CONTROL, JSON.stringify(payload)),
    success: (answered, responseFormat, result) =>
      envelope(
        'command_response',
        CONTROL,
        `${about(answered)},"status":"success","response_format":"${responseFormat}","result":${encode(result)}}`,
      ),
    acknowledgement(requestId, result) {
      const { position } = result
      if (position === null) return this.success({ requestId }, 'publish_result', result)
      // Joined of few pieces: to put one of sixteen together takes half as long again.
      const pieces = [
        head,
        ++count,
        upToRequest(clock.now()),
        requestId,
        upToN(position.ms),
        position.n,
        behindN(result),
      ]
      return pieces.join('')
    },
    error: (answered, error) =>
      envelope(
        'command_response',
        CONTROL,
        `${about(answered)},"status":"error","error":${JSON.stringify(error.body())}}`,
      ),
  }
}

/**
 * Calls `make` only where its argument is another than the last time: a burst of acknowledgements shares most of its
 * text.
 */
function rememberingLast<Key>(make: (key: Key) => string): (key: Key) => string {
  let last: { readonly key: Key; readonly text: string } | undefined
  return (key) => {
    if (last === undefined || last.key !== key) last = { key, text: make(key) }
    return last.text
  }
}

/** Writes the part of an acknowledgement behind the position; the last one is cached. */
function createBehindN(): (result: Acknowledged) => string {
  let last: Omit<Acknowledged, 'position'> | undefined
  let text = ''
  return (result) => {
    const { durability, replicas, duplicate, recipients } = result
    const isAsLast =
      last?.durability === durability &&
      last.replicas === replicas &&
      last.duplicate === duplicate &&
      last.recipients === recipients
    if (isAsLast) return text
    last = {
      durability,
      duplicate,
      ...(replicas !== undefined && { replicas }),
      ...(recipients !== undefined && { recipients }),
    }
    const copies = replicas === undefined ? '' : `,"replicas":${replicas}`
    const known = recipients === undefined ? '' : `,"recipients":${recipients}`
    text = `","durability":"${durability}"${copies},"duplicate":${duplicate}${known}}}}`
    return text
  }
}
