/** Answers of HTTP: what they are, and how they go out. */
import { CodedError, type ErrorCode, errorCodes } from '@arqonbus/protocol'
import { dataHeaders } from './security-headers.ts'

/** One answer. */
export type Answer = {
  readonly status: number
  readonly contentType: string
  readonly body: string
  /** Headers beside the usual ones. */
  readonly headers?: Readonly<Record<string, string>>
}

const JSON_TYPE = 'application/json; charset=utf-8'

/** JSON text as an answer. */
export const jsonText = (status: number, text: string, headers?: Answer['headers']): Answer => ({
  status,
  contentType: JSON_TYPE,
  body: `${text}\n`,
  ...(headers !== undefined && { headers }),
})

/** A value as an answer. */
export const json = (status: number, body: unknown): Answer => jsonText(status, JSON.stringify(body))

/** An error as docs/protocol.md#replies-and-errors names it, with the status of its code. */
export function refusal(problem: ErrorCode | CodedError, headers?: Answer['headers']): Answer {
  const error = typeof problem === 'string' ? new CodedError(problem) : problem
  const { retryAfterMs } = error
  const retry = retryAfterMs !== undefined && { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) }
  const { status } = errorCodes[error.code]
  // The rest of a body may be on its way: it is not waited for.
  const closing = (status === 408 || status === 413) && { connection: 'close' }
  return jsonText(status, JSON.stringify({ error: error.body() }), { ...closing, ...retry, ...headers })
}

/** The answer to a method that a path does not have. */
export const methodNotAllowed = (allowed: readonly string[]): Answer =>
  refusal('method_not_allowed', { allow: allowed.join(', ') })

/** The head of most answers, put together once: it costs as much as what they say. */
const usualJson = new Headers({ 'content-type': JSON_TYPE, ...dataHeaders })

/** An answer as the runtime sends it. */
export function responseOf(answer: Answer, method: string): Response {
  const { status, contentType, body, headers } = answer
  if (headers === undefined && contentType === JSON_TYPE && method !== 'HEAD')
    return new Response(body, { status, headers: usualJson })
  const isBare = method === 'HEAD' || status === 204
  return new Response(isBare ? null : body, {
    status,
    headers: {
      'content-type': contentType,
      ...(status !== 204 && { 'content-length': String(Buffer.byteLength(body)) }),
      ...dataHeaders,
      ...headers,
    },
  })
}
