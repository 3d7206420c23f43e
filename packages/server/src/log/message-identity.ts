/**
 * Which metadata is part of what a message says: all but what tells how this try is acknowledged and traced
 * (docs/protocol.md#acknowledgement).
 */
import type { ParsedEnvelope } from '@arqonbus/protocol'

const isOfTheTry = (key: string): boolean => key === 'ack' || key === 'traceparent' || key === 'tracestate'
const NONE: readonly string[] = []

/** The keys that say what a message is, in one order. Most often there are none. */
export function contentKeys(metadata: ParsedEnvelope['metadata']): readonly string[] {
  let keys: string[] | undefined
  for (const key in metadata) {
    if (isOfTheTry(key)) continue
    keys ??= []
    keys.push(key)
  }
  return keys?.sort() ?? NONE
}

/** True where two messages say the same. */
export const isSameContent = (one: ParsedEnvelope, other: ParsedEnvelope): boolean =>
  contentOf(one) === contentOf(other)

const contentOf = ({ type, payloadText, metadata }: ParsedEnvelope): string =>
  JSON.stringify([type, payloadText, ...contentKeys(metadata).map((key) => [key, metadata![key]])])
