/**
 * Refusals of streams. `EventSource` of a browser gives up for good on any status but 200, so what helps by itself with
 * time is no status for it, but an event that says when to come back (docs/guide/http-api.md#refused-streams).
 */
import type { CodedError, ErrorCode } from '@arqonbus/protocol'
import { event } from './event.ts'

/** Codes that may pass if the reader comes back later, without anything that it changes. */
const temporary: ReadonlySet<ErrorCode> = new Set([
  'rate_limited',
  'storage_unavailable',
  'shutting_down',
  'internal_error',
  'channel_full',
  'room_full',
  'client_id_in_use',
])

/** When to come back after a refusal that does not say it, at the earliest. */
const RETRY_AFTER_MS = 1000
/** Readers that are refused together come back spread over so long. */
const SPREAD_MS = 3000

/** The headers of every stream. */
const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  // Proxies that gather what they pass on would hold events back.
  'x-accel-buffering': 'no',
}

/** The response of a stream. Its connection, which may be silent for as long as it takes, ends with it. */
export const eventStream = (body: ReadableStream<Uint8Array>): Response =>
  new Response(body, { headers: { ...HEADERS, connection: 'close' } })

/** True for a refusal that its reader is to hear of as an event: a temporary one, of a request for events. */
export const isEvent = ({ code }: CodedError, headers: Headers): boolean =>
  temporary.has(code) && /(?:^|,)[ \t]*text\/event-stream[ \t]*(?:[;,]|$)/i.test(headers.get('accept') ?? '')

/** When a reader comes back that has to wait for so long; `random` is from 0 to 1. */
export const spreadRetry = (random: number, afterMs = RETRY_AFTER_MS): number =>
  Math.round(afterMs + random * SPREAD_MS)

/** A refusal as a stream of one event. It has no id, so its reader keeps the last one that it had. */
export function refusedStream(problem: CodedError, random: number): Response {
  const data = JSON.stringify({ error: problem.body() })
  const retry = spreadRetry(random, problem.retryAfterMs)
  return new Response(event({ type: 'refused', retry, data }), { headers: HEADERS })
}
