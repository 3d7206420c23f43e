/** Messages as a store keeps them: without their time and position, which are those of the entry. */
import { encodeStored, type ParsedEnvelope, type Position } from '@arqonbus/protocol'
import { isoTime, positionUpToN } from '../../kit/clock.ts'
import type { Entry } from '../contract.ts'

/**
 * A message but for its time and its position: what is before the first, between the two, and (`glue`, stored with
 * `suffix`) right before the second.
 */
export type EncodedParts = Pick<ParsedEnvelope, 'prefix' | 'suffix' | 'glue'>

/** The entry of a message at a position, as it is delivered. */
export const entryOf = ({ ms, n }: Position, parts: EncodedParts): Entry => ({
  ms,
  n,
  text: encodeStored(parts, isoTime(ms), positionUpToN(ms), n),
})
