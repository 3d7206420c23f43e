import type { ClientMetadata, EnvelopeType } from '@arqonbus/protocol'

/** The fields of an envelope that differ between frames; sender, time and version are added by `writeFrame`. */
export type Outgoing = {
  id: string
  type: EnvelopeType
  room: string
  channel: string
  payload: object
  metadata?: ClientMetadata | undefined
}

/** Writes an envelope. Its keys have the usual order, which the bus parses fastest. */
export function writeFrame(
  { id, type, room, channel, payload, metadata }: Outgoing,
  from: string,
  now: number,
): string {
  const timestamp = new Date(now).toISOString()
  return JSON.stringify({ version: '1.0', id, type, room, channel, from, timestamp, payload, metadata })
}

const encoder = new TextEncoder()

/**
 * Whether a text has more than `bytes` bytes of UTF-8. A UTF-16 unit takes three at most, so most texts need not be
 * encoded.
 */
export const isLongerThan = (text: string, bytes: number): boolean =>
  text.length * 3 > bytes && encoder.encode(text).length > bytes
