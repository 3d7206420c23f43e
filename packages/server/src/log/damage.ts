/** The refusal of a damaged log. Every other log of its driver works. */
import { CodedError } from '@arqonbus/protocol'

const REASON = 'damaged'
/** A damage is not repaired by waiting: there is no hurry to try again. */
const RETRY_AFTER_MS = 5000

/** The error for a request that finds a log damaged. */
export const damagedError = (): CodedError => new CodedError('storage_unavailable', { reason: REASON }, RETRY_AFTER_MS)

/** True for such a refusal: unlike for a log that is away, what the node has at hand is no answer in its place. */
export const isDamage = (problem: unknown): boolean =>
  problem instanceof CodedError && problem.code === 'storage_unavailable' && problem.details?.reason === REASON
