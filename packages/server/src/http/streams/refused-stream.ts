/**
 * Refusals of streams. `EventSource` of a browser gives up for good on any status but 200, so a temporary refusal is
 * not a status, but an event that says when to reconnect (docs/guide/http-api.md#refused-streams).
 */
import type { CodedError, ErrorCode } from '@arqonbus/protocol'
import { dataHeaders } from '../security-headers.ts'
import { event } from './event.ts'

/** Codes after which the same request may succeed later. */
const temporary: ReadonlySet<ErrorCode> = new Set([
  'rate_limited',
  'storage_unavailable',
  'auth_unavailable',
  'shutting_down',
  'internal_error',
  'channel_full',
  'room_full',
  'client_id_in_use',
])

/** When to reconnect, at the earliest, after a refusal that does not say when. */
const RETRY_AFTER_MS = 1000
/** Readers that are refused together reconnect within this time, not all at once. */
const SPREAD_MS = 3000

/** The headers of every stream. */
const HEADERS = {
  ...dataHeaders,
  'content-type': 'text/event-stream; charset=utf-8',
  // Proxies that gather what they pass on would hold events back.
  'x-accel-buffering': 'no',
}

/** The response of a stream. Its connection, which may be silent for as long as it takes, ends with it. */
export const eventStream = (body: ReadableStream<Uint8Array>): Response =>
  new Response(body, { headers: { ...HEADERS, connection: 'close' } })

/** True for a refusal that is sent as an event: a temporary one, of a request for events. */
export const isEvent = ({ code }: CodedError, headers: Headers): boolean =>
  temporary.has(code) && /(?:^|,)[ \t]*text\/event-stream[ \t]*(?:[;,]|$)/i.test(headers.get('accept') ?? '')

/** When a reader reconnects that has to wait for at least this long; `random` is from 0 to 1. */
export const spreadRetry = (random: number, afterMs = RETRY_AFTER_MS): number =>
  Math.round(afterMs + random * SPREAD_MS)

/** A refusal as a stream of one event. It has no id, so its reader keeps the last one that it had. */
export function refusedStream(problem: CodedError, random: number): Response {
  const data = JSON.stringify({ error: problem.body() })
  const retry = spreadRetry(random, problem.retryAfterMs)
  return new Response(event({ type: 'refused', retry, data }), { headers: HEADERS })
}
