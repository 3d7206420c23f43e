/** Refusals of connections after the upgrade: of one before it, a browser shows neither code nor reason. */
import type { CloseName, CodedError } from '@arqonbus/protocol'
import type { RefusalReason } from '../observability/metric-labels.ts'

/** How a refused connection is closed, by the reason that is logged and counted. */
const closeNames = {
  host: 'forbidden',
  origin: 'forbidden',
  forbidden: 'forbidden',
  bad_parameter: 'bad_parameter',
  unauthenticated: 'unauthenticated',
  client_id_in_use: 'client_id_in_use',
  storage_unavailable: 'try_later',
} as const satisfies Partial<Record<RefusalReason, CloseName>>

/** A connection that is not admitted: it gets the error, then the close code. */
export class Refused extends Error {
  constructor(
    readonly error: CodedError,
    readonly reason: keyof typeof closeNames,
  ) {
    super(error.message)
  }

  get close(): CloseName {
    return closeNames[this.reason]
  }
}
