import type { ErrorBody, ErrorCode } from '@arqonbus/protocol'

/** The failures that the client itself finds, with their status; every other code comes from the bus (protocol §3). */
export const clientFailures = {
  invalid_options: [400, 'An option is missing or of the wrong form.'],
  closed: [410, 'The client is closed.'],
  too_much_waiting: [429, 'Too much waits already: try again later.'],
  consumer_too_slow: [429, 'The messages came faster than they were taken out.'],
  connection_failed: [503, 'No connection to the bus could be made.'],
  connection_lost: [503, 'The connection was lost before the bus answered: it may or may not have acted.'],
  not_connected: [503, 'There was no connection: nothing was sent.'],
  outcome_unknown: [503, 'No acknowledgement came: send the same id again within the dedup window.'],
  reply_timeout: [504, 'The bus did not reply in time: it may or may not have acted.'],
} as const satisfies Record<string, readonly [status: number, text: string]>

/** The name of a failure that the client itself finds. */
export type ClientErrorCode = keyof typeof clientFailures

type About = {
  message?: string
  details?: Record<string, unknown> | undefined
  retryAfterMs?: number | undefined
  requestId?: string | null | undefined
  cause?: unknown
}

/**
 * The one error of this client. Match on `code`, or on `status` for a group; never on the message, which is for people.
 * Codes of a newer bus that this client does not know pass through as they are.
 */
export class ArqonBusError extends Error {
  /** Points at the fault, such as `{ path: '/payload', expected: 'object' }`. */
  readonly details: Record<string, unknown> | undefined
  /** Milliseconds after which a retry is worth the while, where the bus said so. */
  readonly retryAfterMs: number | undefined
  /** The id of the frame that failed; null where no frame did, or none could be told. */
  readonly requestId: string | null

  constructor(
    readonly code: ErrorCode | ClientErrorCode,
    /** Groups the codes as HTTP does: 4xx is the caller's to mend, 5xx may pass. */
    readonly status: number,
    about: About = {},
  ) {
    super(about.message ?? code, about.cause === undefined ? undefined : { cause: about.cause })
    this.name = 'ArqonBusError'
    this.details = about.details
    this.retryAfterMs = about.retryAfterMs
    this.requestId = about.requestId ?? null
  }
}

/** A failure that the client itself found. */
export function failure(code: ClientErrorCode, about: About = {}): ArqonBusError {
  const [status, message] = clientFailures[code]
  return new ArqonBusError(code, status, { message, ...about })
}

/** A refusal that the bus sent. */
export const refusal = (body: ErrorBody, requestId: string | null = null): ArqonBusError =>
  new ArqonBusError(body.code, body.status, {
    message: body.message,
    details: body.details,
    retryAfterMs: body.retry_after_ms,
    requestId,
  })
