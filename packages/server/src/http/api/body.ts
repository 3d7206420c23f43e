/** Bodies: JSON in UTF-8, no longer than a message may be, and whole within the time for it. */
import { CodedError } from '@arqonbus/protocol'

/** How long a body may be, and may take. */
export type BodyLimits = { readonly maxBytes: number; readonly timeoutMs: number }

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads the text of a body; `unsupported_media_type`, `message_too_large`, `request_timeout`, `invalid_json` where it is no UTF-8. */
export async function readBody(request: Request, limits: BodyLimits): Promise<string> {
  checkType(request.headers)
  const bytes = await inTime(bytesOf(request, limits.maxBytes), limits.timeoutMs)
  try {
    return decoder.decode(bytes)
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

function bytesOf(request: Request, maxBytes: number): Promise<Uint8Array> {
  const length = request.headers.get('content-length')
  if (length === null) return bytesOfChunks(request, maxBytes)
  // Before it is read: nobody holds memory for what is refused anyway.
  if (Number(length) > maxBytes) throw tooLarge(maxBytes)
  return request.bytes()
}

/** A body that does not say how long it is. */
async function bytesOfChunks({ body }: Request, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.length
    if (bytes > maxBytes) throw tooLarge(maxBytes)
    chunks.push(chunk)
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
}

const tooLarge = (limit: number): CodedError => new CodedError('message_too_large', { limit_bytes: limit })

async function inTime<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  const { promise: tooLate, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new CodedError('request_timeout')), timeoutMs)
  try {
    return await Promise.race([work, tooLate])
  } finally {
    clearTimeout(timer)
  }
}
