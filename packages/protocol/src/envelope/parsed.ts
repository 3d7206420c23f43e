/** What becomes of the text of a frame: a parsed envelope, or the fault that it is refused for. */
import type { ErrorCode } from '../codes.ts'
import type { ClientMetadata, EnvelopeType } from './schema.ts'

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

/** Creates a fault. */
export const fault = (code: ErrorCode, requestId: string | null, details: EnvelopeFault['details']): EnvelopeFault => ({
  fault: code,
  requestId,
  details,
})

/** The value of a payload. */
export const payloadOf = ({ payloadText }: Pick<ParsedEnvelope, 'payloadText'>): Readonly<Record<string, unknown>> =>
  JSON.parse(payloadText)
