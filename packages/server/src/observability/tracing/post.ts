/** One request to the collector, and what its answer means (OTLP specification, "OTLP/HTTP Response"). Never throws. */

/** What became of it. */
export type Posted =
  | { readonly kind: 'taken'; readonly rejected: number; readonly reason: string | undefined }
  | { readonly kind: 'refused'; readonly reason: string }
  /** To be sent again, after so long where the collector says it. */
  | { readonly kind: 'later'; readonly reason: string; readonly afterMs: number | undefined }

/** Where to, with what, and for how long. */
type PostOptions = {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number
  /** Ends the request at once. */
  readonly signal: AbortSignal
  readonly now: () => number
}

/** Statuses that say: not now. */
const later = new Set([429, 502, 503, 504])

/** What is read of an answer: a collector that writes without end fills no memory. */
const MAX_ANSWER_BYTES = 65_536
const MAX_REASON_LENGTH = 200

/** Sends it. */
export async function post(body: string, options: PostOptions): Promise<Posted> {
  const { url, headers, timeoutMs, now } = options
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(timeoutMs)])
  try {
    // Redirects are not followed: the headers are for this collector, and may be its key.
    const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' })
    if (response.ok) return { kind: 'taken', ...rejectedOf(await beginningOf(response)) }
    await response.body?.cancel()
    const reason = `status ${response.status}`
    if (!later.has(response.status)) return { kind: 'refused', reason }
    return { kind: 'later', reason, afterMs: retryAfterMs(response.headers.get('retry-after'), now()) }
  } catch (problem) {
    return { kind: 'later', reason: wordOf(problem), afterMs: undefined }
  }
}

/** `Retry-After` in milliseconds from now: seconds, or a date. */
export function retryAfterMs(text: string | null, now: number): number | undefined {
  if (text === null) return undefined
  if (/^[0-9]{1,9}$/.test(text.trim())) return Number(text) * 1000
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

/** The beginning of an answer; what is longer is of no use. */
async function beginningOf({ body }: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > MAX_ANSWER_BYTES) break
  }
  return text
}

/** A collector may take a request and refuse some of its spans. An answer that says nothing of that took all. */
function rejectedOf(answer: string): { rejected: number; reason: string | undefined } {
  try {
    const { rejectedSpans = 0, errorMessage } = JSON.parse(answer).partialSuccess ?? {}
    const rejected = Number(rejectedSpans)
    const reason = typeof errorMessage === 'string' ? errorMessage.slice(0, MAX_REASON_LENGTH) : undefined
    return { rejected: Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0, reason }
  } catch {
    return { rejected: 0, reason: undefined }
  }
}

/** A word for the log. The message of an error could repeat the URL. */
function wordOf(problem: unknown): string {
  const { code, name } = problem instanceof Error ? (problem as NodeJS.ErrnoException) : {}
  return typeof code === 'string' ? code : (name ?? 'unknown')
}
