/**
 * Delivered envelopes. Nothing is encoded again: they consist of slices of the received one, so payload and metadata are
 * unchanged, byte for byte.
 */
import type { ParsedEnvelope } from './parsed.ts'
import type { ClientMetadata } from './schema.ts'

const NO_METADATA = ',"metadata":{"position":"'
const EMPTY_METADATA = '"position":"'
const MORE_METADATA = ',"position":"'

/** What is written between the timestamp and the payload. */
export const BEHIND_TIMESTAMP = '","payload":'

/** What is written between the payload and the metadata. */
export const METADATA = ',"metadata":'

/** The `glue` of an envelope with this metadata. */
export function glueOf(metadata: Readonly<ClientMetadata> | undefined): string {
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
