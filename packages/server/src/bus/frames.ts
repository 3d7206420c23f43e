/** Envelopes that come from the bus itself: replies, notices, welcome (protocol §2, §3). */
import { BUS, type CodedError, CURRENT_VERSION, type EnvelopeType, type PublishResult } from '@arqonbus/protocol'
import { type Clock, isoTime } from '../kit/clock.ts'

/** A part of a result that is JSON already: envelopes of history go out as they came in. */
export class RawJson {
  constructor(readonly text: string) {}
}

/** A result whose parts may be encoded already. */
export type Encodable<T> = T extends object ? { [Key in keyof T]: T[Key] | RawJson } : T

/** Where frames that concern no channel come from. */
const CONTROL = { room: BUS, channel: 'control' }

/** Writes the frames of the bus. */
export type Frames = {
  /** Any envelope of the bus; `payload` is JSON text. */
  envelope(type: EnvelopeType, address: { room: string; channel: string }, payload: string): string
  /** A notice to one client that concerns no channel. */
  notice(payload: object): string
  /** The answer to a frame that did what it asked for. `command` is absent where the frame was none. */
  success(requestId: string, command: string | undefined, responseFormat: string, result: object): string
  /** The answer to a publish that the log has taken. Written field by field, for it may come with every message. */
  acknowledgement(requestId: string, result: PublishResult): string
  /** The refusal of a frame. `requestId` is null where none could be read. */
  error(requestId: string | null, command: string | undefined, error: CodedError): string
}

/** `node` makes the ids of this node's frames unlike those of any other; it is of the characters of ids. */
export function createFrames(clock: Clock, node: string): Frames {
  const prefix = `arq_${node}_`
  let count = 0
  const head = `{"version":"${CURRENT_VERSION}","id":"`
  const answerHead = `","type":"command_response","room":"${CONTROL.room}","channel":"${CONTROL.channel}","from":"${BUS}","timestamp":"`
  const envelope: Frames['envelope'] = (type, { room, channel }, payload) =>
    `${head}${prefix}${++count}","type":"${type}","room":"${room}","channel":"${channel}","from":"${BUS}","timestamp":"${isoTime(clock.now())}","payload":${payload}}`
  const about = (requestId: string | null, command: string | undefined) =>
    `{"request_id":${requestId === null ? 'null' : `"${requestId}"`}${command === undefined ? '' : `,"command":${JSON.stringify(command)}`}`
  return {
    envelope,
    notice: (payload) => envelope('system', CONTROL, JSON.stringify(payload)),
    success: (requestId, command, responseFormat, result) =>
      envelope(
        'command_response',
        CONTROL,
        `${about(requestId, command)},"status":"success","response_format":"${responseFormat}","result":${encode(result)}}`,
      ),
    acknowledgement(requestId, { position, durability, replicas, duplicate, recipients }) {
      const at = position === null ? 'null' : `"${position}"`
      const copies = replicas === undefined ? '' : `,"replicas":${replicas}`
      const known = recipients === undefined ? '' : `,"recipients":${recipients}`
      return `${head}${prefix}${++count}${answerHead}${isoTime(clock.now())}","payload":{"request_id":"${requestId}","status":"success","response_format":"publish_result","result":{"position":${at},"durability":"${durability}"${copies},"duplicate":${duplicate}${known}}}}`
    },
    error: (requestId, command, error) =>
      envelope(
        'command_response',
        CONTROL,
        `${about(requestId, command)},"status":"error","error":${JSON.stringify(error.body())}}`,
      ),
  }
}

/** Encodes a result whose top-level fields may be encoded already. */
function encode(result: object): string {
  let text = ''
  for (const [key, value] of Object.entries(result)) {
    if (value === undefined) continue
    text += `${text === '' ? '{' : ','}${JSON.stringify(key)}:${value instanceof RawJson ? value.text : JSON.stringify(value)}`
  }
  return text === '' ? '{}' : `${text}}`
}
