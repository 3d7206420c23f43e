/** The refusals that every driver knows, as outcomes. */
import { CodedError } from '@arqonbus/protocol'
import type { AppendOutcome, Draft } from './contract.ts'

/** The outcome of a draft that a log does not take, with the error for its sender. */
export const refusal = (error: CodedError): AppendOutcome => ({ kind: 'refused', error })

/** The log was closed or deleted before it had the draft (`channel_not_found`). */
export const closedRefusal = (): AppendOutcome => refusal(new CodedError('channel_not_found'))

/** The sender has used the id before, for other content (`id_conflict`). */
export const conflictRefusal = ({ envelope: { id } }: Draft): AppendOutcome =>
  refusal(new CodedError('id_conflict', { id }))
