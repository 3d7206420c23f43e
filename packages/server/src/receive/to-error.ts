/** Errors as clients get them. */
import { CodedError } from '@arqonbus/protocol'
import { stackText } from '../kit/text.ts'
import type { Logger } from '../observability/logger.ts'

/**
 * A coded error is for the client; anything else is an internal fault: logged with its stack, and sent as
 * `internal_error`.
 */
export function faultOf(problem: unknown, logger: Logger, client: { readonly id: string }): CodedError {
  if (problem instanceof CodedError) return problem
  logger.error({ event: 'internal_error', client_id: client.id, code: 'internal_error', stack: stackText(problem) })
  return new CodedError('internal_error')
}
