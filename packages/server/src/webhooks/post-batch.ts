/**
 * One request to a receiver. Its name is resolved once, the addresses are checked, and the connection goes to the one
 * that was checked: a name that resolves to another address a moment later gains nothing. Never throws.
 */
import type { LookupAddress } from 'node:dns'
import { type RequestOptions, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP } from 'node:net'
import { retryAfterMs } from '../observability/tracing/post.ts'
import { addressKind } from './addresses.ts'

/** What became of a request. */
export type Posted =
  | { readonly outcome: 'accepted' }
  /** 410: the receiver wants no more. */
  | { readonly outcome: 'gone' }
  /** `refused`: a 4xx that says that the request is at fault. `afterMs`: how long the receiver wants to be left alone. */
  | {
      readonly outcome: 'refused' | 'failed' | 'address_not_allowed'
      readonly reason: string
      readonly afterMs?: number | undefined
    }

/** The addresses of a host name. */
export type Resolve = (host: string) => Promise<readonly LookupAddress[]>

/** How requests are made. */
export type PostOptions = {
  readonly resolve: Resolve
  readonly allowPrivate: boolean
  /** Authorities (PEM) that are trusted; those of the system where it is undefined. */
  readonly ca: readonly string[] | undefined
  readonly timeoutMs: number
  readonly now: () => number
}

/** A request. */
export type Outgoing = {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Which of several addresses is used: each attempt takes the next. */
  readonly attempt: number
  readonly signal: AbortSignal
}

/** What is read of a response; the rest of it is of no use. */
const MOST_RESPONSE_BYTES = 4096

/** Sends a request. */
export async function postBatch(outgoing: Outgoing, options: PostOptions): Promise<Posted> {
  const signal = AbortSignal.any([outgoing.signal, AbortSignal.timeout(options.timeoutMs)])
  try {
    const host = outgoing.url.hostname.replace(/^\[(.*)\]$/, '$1')
    const found =
      isIP(host) === 0
        ? await orAborted(options.resolve(host), signal)
        : [{ address: host, family: isIP(host) } satisfies LookupAddress]
    const allowed = found.filter(({ address }) => isAllowed(address, options.allowPrivate))
    const chosen = allowed[outgoing.attempt % allowed.length]
    if (chosen === undefined) return { outcome: 'address_not_allowed', reason: 'address_not_allowed' }
    return await send(outgoing, { ...options, host, address: chosen.address, signal })
  } catch (problem) {
    return { outcome: 'failed', reason: signal.aborted ? 'timeout' : wordOf(problem) }
  }
}

function isAllowed(address: string, allowPrivate: boolean): boolean {
  const kind = addressKind(address)
  return kind === 'public' || (kind === 'private' && allowPrivate)
}

type Connecting = PostOptions & { readonly host: string; readonly address: string; readonly signal: AbortSignal }

function send({ url, headers, body }: Outgoing, { host, address, ca, now, signal }: Connecting): Promise<Posted> {
  const isSecure = url.protocol === 'https:'
  const options: RequestOptions & { servername?: string; ca?: string[] } = {
    method: 'POST',
    host: address,
    port: url.port || (isSecure ? 443 : 80),
    path: url.pathname + url.search,
    // The certificate is checked for the name, and the receiver sees the name.
    headers: { ...headers, host: url.host, 'content-length': String(Buffer.byteLength(body)) },
    signal,
    ...(isSecure && isIP(host) === 0 && { servername: host }),
    ...(isSecure && ca && { ca: [...ca] }),
  }
  return new Promise((resolve, reject) => {
    const request = (isSecure ? requestHttps : requestHttp)(options, (response) => {
      const { statusCode = 0 } = response
      const posted = meaningOf(statusCode, response.headers['retry-after'], now())
      let bytes = 0
      const done = () => resolve(posted)
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes <= MOST_RESPONSE_BYTES) return
        request.destroy()
        done()
      })
      // The status is known: what becomes of the rest changes nothing.
      for (const event of ['end', 'error', 'aborted', 'close']) response.on(event, done)
    })
    request.on('error', reject)
    request.end(body)
  })
}

/** Of the 4xx, those that say: not now. */
const notNow = new Set([408, 421, 425, 429])

/** What a status means (Standard Webhooks, "Delivery success and failure"). Redirects are failures. */
export function meaningOf(status: number, retryAfter: string | undefined, now: number): Posted {
  if (status >= 200 && status < 300) return { outcome: 'accepted' }
  if (status === 410) return { outcome: 'gone' }
  const isRefused = status >= 400 && status < 500 && !notNow.has(status)
  return {
    outcome: isRefused ? 'refused' : 'failed',
    reason: `status ${status}`,
    afterMs: retryAfterMs(retryAfter ?? null, now),
  }
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  return Promise.race([work, aborted])
}

/** A word for the log. The message of an error could repeat the URL. */
function wordOf(problem: unknown): string {
  const { code, name } = problem instanceof Error ? (problem as NodeJS.ErrnoException) : {}
  return typeof code === 'string' ? code : (name ?? 'unknown')
}
