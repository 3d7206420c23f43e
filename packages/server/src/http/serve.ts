/** The HTTP door, on a port of its own: whoever watches the bus is served apart from its clients. */
import { CodedError } from '@arqonbus/protocol'
import type { Server } from 'bun'
import { type Logger, silentLogger } from '../kit/logger.ts'
import type { Metrics } from '../kit/metrics.ts'
import { listenError } from '../kit/start-error.ts'
import { openFiles } from '../kit/system-limits.ts'
import type { VersionInfo } from '../kit/version.ts'
import { type Answer, refusal, responseOf } from './answer.ts'
import type { Api } from './api/api.ts'
import type { ConsolePages } from './console.ts'
import { answer, createRoutes, type Health, type Readiness } from './routes.ts'

/** What the door is opened with. */
export type HttpOptions = {
  host: string
  port: number
  health: () => Health
  ready: () => Readiness
  /** True where each response asks its client to connect anew for the next request, so that a load balancer can send it elsewhere. */
  isStopping?: () => boolean
  version: VersionInfo
  metrics: Metrics
  /** The HTTP API, where there is one. */
  api?: Api | undefined
  /** Longer bodies are refused, whatever they are for. */
  maxBodyBytes?: number
  /** The console, where it is served. */
  console?: ConsolePages | undefined
  logger?: Logger
  /** Milliseconds that never go back. */
  now?: () => number
}

/** An open door. */
export type HttpDoor = {
  /** Where it is, without a slash at the end. */
  readonly url: string
  readonly port: number
  /** Closes the port; requests that are being answered get their answer, within a second. */
  close(): Promise<void>
}

/** Seconds after which a connection that sends nothing, or half a head, is closed. */
const IDLE_SECONDS = 10

/** The longest address of a request, with its query: none that is meant for this server is half as long. The runtime refuses heads over 16 KiB. */
export const MAX_URL_LENGTH = 8192

/** How long requests that are being answered have when the door closes. */
const CLOSE_MS = 1000

/** The longest body where nobody says. */
const USUAL_BODY_BYTES = 64 * 1024

/** Opens the door, or throws a StartError that says why it cannot. */
export function serveHttp(options: HttpOptions): HttpDoor {
  const {
    host,
    port,
    metrics,
    maxBodyBytes = USUAL_BODY_BYTES,
    logger = silentLogger,
    isStopping = () => false,
    now = () => performance.now(),
  } = options
  const routes = createRoutes({ ...options, now })

  const respond = (method: string, route: string, result: Answer | Response): Response => {
    metrics.httpRequest(method, route, result.status)
    const response = result instanceof Response ? result : responseOf(result, method)
    if (isStopping() || openFiles.isNearLimit()) response.headers.set('connection', 'close')
    return response
  }

  const fetch = async (request: Request, server: Server<undefined>): Promise<Response> => {
    const { method, url } = request
    if (url.length > MAX_URL_LENGTH) {
      metrics.limit('url_length')
      return respond(method, 'other', refusal(new CodedError('uri_too_long', { limit_characters: MAX_URL_LENGTH })))
    }
    const path = pathOf(url)
    const called = options.api?.(path)
    const isPage = options.console?.has(path) === true
    const route = called?.route ?? (isPage || routes.has(path) ? path : 'other')
    try {
      // The API sees to its own.
      if (called === undefined && Number(request.headers.get('content-length')) > maxBodyBytes)
        return respond(method, route, refusal(new CodedError('message_too_large', { limit_bytes: maxBodyBytes })))
      if (called === undefined && isPage) return respond(method, route, await options.console!.answer(request, path))
      if (called === undefined) return respond(method, route, await answer(routes, method, path))
      const exchange = {
        request,
        address: () => server.requestIP(request)?.address ?? '',
        keepOpen: () => server.timeout(request, 0),
      }
      return respond(method, route, await called.answer(exchange))
    } catch (error) {
      logger.error({ event: 'http_failed', path, error })
      return respond(method, route, refusal('internal_error'))
    }
  }

  const open = () =>
    Bun.serve({
      hostname: host,
      port,
      fetch,
      idleTimeout: IDLE_SECONDS,
      // The runtime refuses without a word. What is too long is refused by its length before it is read, with a code.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      development: false,
      // Outside of development Bun shares a port that is in use, and half of the requests go to somebody else's program.
      reusePort: false,
    })
  const server = orStartError(open, host, port)
  const address = `${host.includes(':') ? `[${host}]` : host}:${server.port}`
  return { url: `http://${address}`, port: server.port ?? port, close: () => closeWithin(server, CLOSE_MS) }
}

/** A request that never ends, half a body or a stream that nobody reads, must not hold up the end. */
async function closeWithin(server: Server<undefined>, ms: number): Promise<void> {
  const { promise: tooLong, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  await Promise.race([server.stop(), tooLong])
  clearTimeout(timer)
  await server.stop(true)
}

/** The path without its query and without slashes at its end. A request without a Host has no URL to parse. */
export function pathOf(url: string): string {
  const path = /^(?:[a-z][a-z0-9+.-]*:\/\/[^/?#]*)?([^?#]*)/i.exec(url)?.[1] ?? ''
  // Only the first slash of a run begins a match: else a path of nothing but slashes takes the square of its length.
  return path.length > 1 ? path.replace(/(?<!\/)\/+$/, '') || '/' : path
}

function orStartError<Opened>(open: () => Opened, host: string, port: number): Opened {
  try {
    return open()
  } catch (cause) {
    const settings = { hostSetting: 'ARQONBUS_HTTP_HOST', portSetting: 'ARQONBUS_HTTP_PORT' }
    throw listenError(cause, { door: 'HTTP server', host, port, ...settings })
  }
}
