/**
 * Every error code and every close code of the protocol, each defined once (docs/protocol.md#replies-and-errors).
 *
 * The codes are stable: a program may match on them, never on the message. `status` groups them as HTTP does.
 */

type ErrorEntry = {
  /** The HTTP status of the same meaning. */
  readonly status: number
  /** True where the frame itself broke the protocol: it counts towards closing with 1008. */
  readonly violation?: true
  /** What happened and what to do, for people. */
  readonly text: string
}

const table = {
  invalid_json: { status: 400, violation: true, text: 'The frame is not JSON.' },
  invalid_envelope: { status: 400, violation: true, text: 'The frame is not a proper envelope.' },
  unsupported_version: { status: 400, violation: true, text: 'This bus does not speak that version of the protocol.' },
  invalid_parameters: { status: 400, text: 'A parameter is missing, unknown, or of the wrong form.' },
  invalid_telemetry: {
    status: 400,
    text: 'A telemetry event needs `eventType` and `payload`, and the telemetry channel.',
  },
  binary_frame: { status: 400, violation: true, text: 'Envelopes travel as text frames.' },
  invalid_upgrade: { status: 400, text: 'The request is not a valid WebSocket upgrade.' },
  unauthenticated: { status: 401, text: 'A valid token is required.' },
  token_expired: { status: 401, text: 'The token has expired: send a new one.' },
  forbidden: { status: 403, text: 'This client may not do that.' },
  message_not_found: { status: 404, text: 'There is no such message, or it is not kept any more.' },
  forbidden_type: { status: 403, violation: true, text: 'Only the server sends envelopes of this type.' },
  sender_mismatch: { status: 403, violation: true, text: '`from` must be the client id of the connection.' },
  system_channel: { status: 403, text: 'This channel belongs to the bus.' },
  system_room: { status: 403, text: 'This room belongs to the bus: only the bus adds channels to it.' },
  unknown_command: { status: 404, text: 'No command has this name.' },
  room_not_found: { status: 404, text: 'The room does not exist.' },
  channel_not_found: { status: 404, text: 'The channel does not exist.' },
  client_not_found: { status: 404, text: 'The client does not exist.' },
  not_found: { status: 404, text: 'Nothing exists at this path.' },
  method_not_allowed: { status: 405, text: 'This method is not allowed here.' },
  request_timeout: { status: 408, text: 'The request did not arrive in time.' },
  channel_exists: { status: 409, text: 'The channel exists already.' },
  channel_not_empty: { status: 409, text: 'The channel still has participants.' },
  channel_hardcoded: { status: 409, text: 'The channel is part of the system.' },
  room_hardcoded: { status: 409, text: 'The room is part of the system.' },
  room_not_empty: { status: 409, text: 'The room still has channels.' },
  room_paused: { status: 409, text: 'The room is paused: commands work, messages do not.' },
  channel_type_mismatch: { status: 409, text: 'The channel has another type than the requested one.' },
  channel_full: { status: 409, text: 'The channel has reached its maximum of participants.' },
  room_full: { status: 409, text: 'The room has reached its maximum of participants.' },
  client_id_in_use: { status: 409, text: 'Another connection has this client id.' },
  id_conflict: { status: 409, text: 'This id was already used for a different message.' },
  message_too_large: { status: 413, violation: true, text: 'The frame or body is larger than the message limit.' },
  uri_too_long: { status: 414, text: 'The URL of the request is longer than the limit.' },
  host_not_allowed: {
    status: 421,
    text: 'This host name is not accepted: ARQONBUS_ALLOWED_HOSTS lists the accepted ones.',
  },
  upgrade_required: { status: 426, text: 'This port speaks WebSocket: connect with ws://.' },
  unsupported_media_type: { status: 415, text: 'This content type is not supported.' },
  rate_limited: { status: 429, text: 'Too many requests: try again later.' },
  quota_exceeded: {
    status: 429,
    text: 'The bus keeps no more of this for this client: remove something that it created, or raise the setting.',
  },
  too_many_rooms: { status: 429, text: 'The bus has reached its maximum of rooms.' },
  too_many_channels: { status: 429, text: 'The bus has reached its maximum of channels.' },
  too_many_subscriptions: { status: 429, text: 'The client has reached its maximum of subscriptions.' },
  reload_failed: { status: 500, text: 'The new settings cannot be used: nothing has changed.' },
  internal_error: { status: 500, text: 'Internal error; see the server log.' },
  storage_unavailable: { status: 503, text: 'The log cannot store this now at the requested level.' },
  auth_unavailable: { status: 503, text: 'Tokens cannot be checked now: try again later.' },
  outcome_unknown: { status: 503, text: 'The log did not reply in time: send the same id again.' },
  too_many_connections: { status: 503, text: 'The bus has no room for another connection: try again later.' },
  shutting_down: { status: 503, text: 'The bus is shutting down: reconnect.' },
} as const satisfies Record<string, ErrorEntry>

/** The name of a coded error. */
export type ErrorCode = keyof typeof table

/** All error codes with their status, whether they are violations, and their text. */
export const errorCodes: Readonly<Record<ErrorCode, ErrorEntry>> = table

/** Points at the fault, never at the inside of the server. */
export type ErrorDetails = {
  /** Where the first fault is: a JSON Pointer into the frame, for commands into its payload. */
  path?: string
  /** What is expected there, in words that complete "expected …". */
  expected?: string
  /** All faults if there are several, the first one included. */
  faults?: readonly { readonly path: string; readonly expected: string }[]
  /** What else a code has to say. */
  [more: string]: unknown
}

/** The body of an error in a reply (docs/protocol.md#replies-and-errors). */
export type ErrorBody = {
  code: ErrorCode
  status: number
  message: string
  details?: ErrorDetails
  /** Milliseconds after which a retry is useful. */
  retry_after_ms?: number
}

/** An expected failure: it becomes an error reply. */
export class CodedError extends Error {
  constructor(
    readonly code: ErrorCode,
    readonly details?: ErrorDetails,
    readonly retryAfterMs?: number,
    message: string = errorCodes[code].text,
  ) {
    super(message)
    this.name = 'CodedError'
  }

  /** The body that goes on the wire. */
  body(): ErrorBody {
    const body: ErrorBody = { code: this.code, status: errorCodes[this.code].status, message: this.message }
    if (this.details !== undefined) body.details = this.details
    if (this.retryAfterMs !== undefined) body.retry_after_ms = this.retryAfterMs
    return body
  }
}

/** Whether a client should reconnect by itself after a close. */
export type Reconnect = 'no' | 'yes' | 'later' | 'with_new_token'

type CloseEntry = { readonly code: number; readonly reason: string; readonly reconnect: Reconnect }

const closes = {
  normal: { code: 1000, reason: 'normal closure', reconnect: 'no' },
  going_away: { code: 1001, reason: 'going away', reconnect: 'yes' },
  protocol_error: { code: 1002, reason: 'WebSocket protocol error', reconnect: 'no' },
  abnormal: { code: 1006, reason: 'no close frame', reconnect: 'yes' },
  invalid_utf8: { code: 1007, reason: 'invalid UTF-8', reconnect: 'no' },
  repeated_violations: { code: 1008, reason: 'repeated protocol violations', reconnect: 'no' },
  too_large: { code: 1009, reason: 'frame far too large', reconnect: 'no' },
  internal: { code: 1011, reason: 'internal error', reconnect: 'yes' },
  restarting: { code: 1012, reason: 'the bus restarts', reconnect: 'later' },
  try_later: { code: 1013, reason: 'try again later', reconnect: 'later' },
  bad_parameter: { code: 4400, reason: 'bad connection parameter', reconnect: 'no' },
  unauthenticated: { code: 4401, reason: 'a valid token is required', reconnect: 'with_new_token' },
  forbidden: { code: 4403, reason: 'forbidden', reconnect: 'no' },
  heartbeat_lost: { code: 4408, reason: 'heartbeat lost', reconnect: 'yes' },
  client_id_in_use: { code: 4409, reason: 'client id in use', reconnect: 'later' },
  taken_over: { code: 4410, reason: 'taken over by another connection of this client', reconnect: 'no' },
  disconnected: { code: 4411, reason: 'disconnected by an admin', reconnect: 'no' },
  slow_consumer: { code: 4429, reason: 'slow consumer or sustained flooding', reconnect: 'yes' },
} as const satisfies Record<string, CloseEntry>

/** The name of a close code. */
export type CloseName = keyof typeof closes

/** All close codes, by name, with their reason and whether to reconnect. */
export const closeCodes: Readonly<Record<CloseName, CloseEntry>> = closes

/** Whether to reconnect after a close with `code`; for an unknown code: yes, with backoff. */
export function reconnectAfter(code: number): Reconnect {
  for (const entry of Object.values(closeCodes)) if (entry.code === code) return entry.reconnect
  return 'yes'
}
