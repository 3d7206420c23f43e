import type { ErrorBody, ErrorCode, ErrorDetails } from '@arqonbus/protocol'

/**
 * The failures that the client itself detects, with their status; every other code comes from the bus
 * (docs/protocol.md#replies-and-errors).
 */
export const clientFailures = {
  invalid_options: [400, 'An option is missing or invalid.'],
  closed: [410, 'The client is closed.'],
  too_much_waiting: [429, 'Too many requests wait for a reply: try again later.'],
  consumer_too_slow: [429, 'Messages arrived faster than the application read them.'],
  connection_failed: [503, 'The connection to the bus failed.'],
  connection_lost: [503, 'The connection was lost before the bus replied: it may or may not have acted.'],
  not_connected: [503, 'There was no connection: nothing was sent.'],
  outcome_unknown: [503, 'No acknowledgement came: send the same id again within the dedup window.'],
  reply_timeout: [504, 'The bus did not reply in time: it may or may not have acted.'],
} as const satisfies Record<string, readonly [status: number, text: string]>

/** The code of a failure that the client itself detects. */
export type ClientErrorCode = keyof typeof clientFailures

type About = {
  message?: string
  details?: ErrorDetails | undefined
  retryAfterMs?: number | undefined
  requestId?: string | null | undefined
  cause?: unknown
}

/**
 * The only error class of this client. Match on `code`, or on `status` for a group; never on the message, which is for
 * people. Unknown codes of a newer bus are passed through unchanged.
 */
export class ArqonBusError extends Error {
  /** Points at the invalid value, such as `{ path: '/payload', expected: 'object' }`; `faults` lists several. */
  readonly details: ErrorDetails | undefined
  /** Milliseconds to wait before a retry, if the bus sent them. */
  readonly retryAfterMs: number | undefined
  /** The id of the frame that failed; null if no frame failed, or if its id could not be read. */
  readonly requestId: string | null

  constructor(
    readonly code: ErrorCode | ClientErrorCode,
    /** The class of the code, as in HTTP: 4xx is for the caller to correct, 5xx may be temporary. */
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

/** Creates the error of a failure that the client itself detected. */
export function failure(code: ClientErrorCode, about: About = {}): ArqonBusError {
  const [status, message] = clientFailures[code]
  return new ArqonBusError(code, status, { message, ...about })
}

/** Creates the error of a refusal that the bus sent. */
export const refusal = (body: ErrorBody, requestId: string | null = null): ArqonBusError =>
  new ArqonBusError(body.code, body.status, {
    message: body.message,
    details: body.details,
    retryAfterMs: body.retry_after_ms,
    requestId,
  })
