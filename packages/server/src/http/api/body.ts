/** Bodies: JSON in UTF-8, no longer than a message may be, and whole within the time for it. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { CodedError } from '@arqonbus/protocol'
import { systemClock } from '../../kit/clock.ts'
import { after } from '../../kit/timer.ts'

/** How long a body may be, and may take. */
type BodyLimits = { readonly maxBytes: number; readonly timeoutMs: number }

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads a body; `takeBytes` is told of bytes whose number the head of the request does not say. */
type ReadBody = (arriving: { request: Request; takeBytes: (bytes: number) => void }) => Promise<Uint8Array>

/** Makes what reads a body; `unsupported_media_type`, `message_too_large`, `request_timeout`, `rate_limited`. */
export function createBodyReader({ maxBytes, timeoutMs }: BodyLimits): ReadBody {
  const inTime = createDeadlines(timeoutMs)
  return async ({ request, takeBytes }) => {
    checkType(request.headers)
    const isCounted = request.headers.has('content-length')
    return await inTime(isCounted ? request.bytes() : bytesOfChunks(request, maxBytes, takeBytes))
  }
}

/** The text of a body; `invalid_json` where it is no UTF-8. */
export function textOf(body: Uint8Array): string {
  try {
    return decoder.decode(body)
  } catch {
    throw new CodedError('invalid_json', { path: '', expected: 'UTF-8' })
  }
}

/** Nothing but JSON: what a page of another origin can send without asking first has another type. */
function checkType(headers: Headers): void {
  const type = headers.get('content-type') ?? ''
  if (!/^application\/json *(?:; *charset="?utf-8"? *)?$/i.test(type))
    throw new CodedError('unsupported_media_type', {
      path: '/headers/content-type',
      expected: 'application/json',
    })
  if ((headers.get('content-encoding') ?? 'identity').toLowerCase() !== 'identity')
    throw new CodedError('unsupported_media_type', { path: '/headers/content-encoding', expected: 'to be absent' })
}

/**
 * A body that does not say how long it is. The runtime gives each chunk by itself, however small, and as one piece what
 * arrives between two reads: so one is read in a turn of the loop.
 */
async function bytesOfChunks(
  { body }: Request,
  maxBytes: number,
  takeBytes: (bytes: number) => void,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new CodedError('message_too_large', { limit_bytes: maxBytes })
    takeBytes(chunk.length)
    chunks.push(chunk)
    await nextTurn()
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
}

/**
 * Fails what takes too long: looked at by one timer for all, since most bodies are there at once, and a timer for each
 * would cost as much as they do.
 */
function createDeadlines(ms: number): <T>(work: Promise<T>) => Promise<T> {
  const waiting = new Set<{ readonly since: number; readonly fail: (error: CodedError) => void }>()
  let isLooking = false
  const lookLater = () => {
    isLooking = waiting.size > 0
    if (isLooking) after(ms / 4, look)
  }
  const look = () => {
    const now = systemClock.monotonic()
    for (const { since, fail } of waiting) if (now - since >= ms) fail(new CodedError('request_timeout'))
    lookLater()
  }
  return (work) =>
    new Promise((resolve, reject) => {
      const entry = { since: systemClock.monotonic(), fail: reject }
      waiting.add(entry)
      if (!isLooking) lookLater()
      work.finally(() => waiting.delete(entry)).then(resolve, reject)
    })
}
