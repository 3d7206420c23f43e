/** W3C Trace Context: what a sender's `traceparent` says of the trace that its message belongs to. */

/** The span that the sender was in. */
export type Parent = { readonly traceId: string; readonly spanId: string; readonly isSampled: boolean }

const form = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const SAMPLED = 1

/**
 * Reads a `traceparent`; undefined if it is invalid. Version 00 ends with the flags; of later ones that may go on, the
 * beginning means the same.
 */
export function readTraceparent(text: string): Parent | undefined {
  const [, version, traceId, spanId, flags, more] = form.exec(text) ?? []
  if (traceId === undefined || spanId === undefined) return undefined
  if (version === '00' && more !== undefined) return undefined
  return { traceId, spanId, isSampled: (Number.parseInt(flags!, 16) & SAMPLED) === SAMPLED }
}
