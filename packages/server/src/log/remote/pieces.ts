/** Messages as a store keeps them: without their time and position, which are those of the entry. */
import { encodeStored, type ParsedEnvelope, type Position } from '@arqonbus/protocol'
import { isoTime, positionUpToN } from '../../kit/clock.ts'
import type { Entry } from '../contract.ts'

/** A message but for its time and its position: what is before the first, between the two, and (`joint`, stored with `body`) right before the second. */
export type Pieces = Pick<ParsedEnvelope, 'head' | 'body' | 'joint'>

/** The entry of a message at a position, as it is delivered. */
export const entryOf = ({ ms, n }: Position, pieces: Pieces): Entry => ({
  ms,
  n,
  text: encodeStored(pieces, isoTime(ms), positionUpToN(ms), n),
})
