/** The refusals that every driver knows, as outcomes. */
import { CodedError } from '@arqonbus/protocol'
import type { AppendOutcome, Draft } from './contract.ts'

/** When to try again what needs a store that is away, in milliseconds. */
export const AWAY_RETRY_AFTER_MS = 1000

/** The error for what needs a store that is away (`storage_unavailable`). */
export const awayError = (details?: Record<string, unknown>): CodedError =>
  new CodedError('storage_unavailable', details, AWAY_RETRY_AFTER_MS)

/** The outcome of a draft that a log does not take, with the error for its sender. */
export const refusal = (error: CodedError): AppendOutcome => ({ kind: 'refused', error })

/** The log was closed or deleted before it had the draft (`channel_not_found`). */
export const closedRefusal = (): AppendOutcome => refusal(new CodedError('channel_not_found'))

/** The sender has used the id before, for other content (`id_conflict`). */
export const conflictRefusal = ({ envelope: { id } }: Draft): AppendOutcome =>
  refusal(new CodedError('id_conflict', { id }))
