/**
 * Pages of other origins: which may call, and the headers for their browsers
 * (https://fetch.spec.whatwg.org/#http-cors-protocol).
 */
import type { Answer } from '../answer.ts'

/** What a page may set, and read. */
const REQUEST_HEADERS =
  'authorization, content-type, arqonbus-client-id, arqonbus-session, last-event-id, idempotency-key, traceparent, tracestate'
const EXPOSED = 'retry-after, arqonbus-client-id'
const PREFLIGHT_SECONDS = '600'

/** Headers of a response to a page of this origin. */
export const originHeaders = (origin: string) => ({
  'access-control-allow-origin': origin,
  'access-control-expose-headers': EXPOSED,
  vary: 'Origin',
})

/** The answer to a browser that asks whether a page may call. */
export const preflight = (methods: readonly string[]): Answer => ({
  status: 204,
  contentType: 'text/plain',
  body: '',
  headers: {
    allow: methods.join(', '),
    'access-control-allow-methods': methods.join(', '),
    'access-control-allow-headers': REQUEST_HEADERS,
    'access-control-max-age': PREFLIGHT_SECONDS,
  },
})
