/** Errors as clients get them. */
import { CodedError } from '@arqonbus/protocol'
import { stackText } from '../kit/text.ts'
import type { Logger } from '../observability/logger.ts'

/** Whose frame failed. */
type Faulted = { readonly id: string; readonly address: string | undefined }

/**
 * A coded error is for the client; anything else is an internal fault: logged with its stack, and sent as
 * `internal_error`.
 */
export function faultOf(problem: unknown, logger: Logger, { id, address }: Faulted): CodedError {
  if (problem instanceof CodedError) return problem
  const stack = stackText(problem)
  logger.error({ event: 'internal_error', client_id: id, code: 'internal_error', stack, address })
  return new CodedError('internal_error')
}
