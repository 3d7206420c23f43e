/** The HTTP door, on a port of its own: whoever watches the bus is served apart from its clients. */
import { type Logger, silentLogger } from '../kit/logger.ts'
import type { Metrics } from '../kit/metrics.ts'
import { listenError } from '../kit/start-error.ts'
import type { VersionInfo } from '../kit/version.ts'
import type { ConsolePages } from './console.ts'
import { type Answer, answer, createRoutes, type Health, type Readiness, refusal } from './routes.ts'

/** What the door is opened with. */
export type HttpOptions = {
  host: string
  port: number
  health: () => Health
  ready: () => Readiness
  version: VersionInfo
  metrics: Metrics
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
  /** Closes the port; requests that are being answered get their answer. */
  close(): Promise<void>
}

/** Seconds after which a connection that sends nothing, or half a head, is closed. */
const IDLE_SECONDS = 10

/** Opens the door, or throws a StartError that says why it cannot. */
export function serveHttp(options: HttpOptions): HttpDoor {
  const { host, port, metrics, logger = silentLogger, now = () => performance.now() } = options
  const routes = createRoutes({ ...options, now })

  const respond = (method: string, path: string, result: Answer): Response => {
    metrics.httpRequest(routes.has(path) ? path : 'other', result.status)
    const headers = {
      'content-type': result.contentType,
      'content-length': String(Buffer.byteLength(result.body)),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(result.allow && { allow: result.allow }),
    }
    return new Response(method === 'HEAD' ? null : result.body, { status: result.status, headers })
  }

  const fetch = async (request: Request): Promise<Response> => {
    const { method, url } = request
    const path = pathOf(url)
    try {
      if (options.console?.has(path)) {
        const page = await options.console.answer(request, path)
        metrics.httpRequest(path, page.status)
        return page
      }
      return respond(method, path, await answer(routes, method, path))
    } catch (error) {
      logger.error({ event: 'http_failed', path, error })
      return respond(method, path, refusal('internal_error'))
    }
  }

  const open = () =>
    Bun.serve({
      hostname: host,
      port,
      fetch,
      idleTimeout: IDLE_SECONDS,
      // Nobody reads a body here; small ones are tolerated so that their sender reads the 405.
      maxRequestBodySize: 64 * 1024,
      development: false,
      // Outside of development Bun shares a port that is in use, and half of the requests go to somebody else's program.
      reusePort: false,
    })
  const server = orStartError(open, host, port)
  const address = `${host.includes(':') ? `[${host}]` : host}:${server.port}`
  return { url: `http://${address}`, port: server.port ?? port, close: () => server.stop() }
}

/** The path without its query and without slashes at its end. A request without a Host has no URL to parse. */
function pathOf(url: string): string {
  const path = /^(?:[a-z][a-z0-9+.-]*:\/\/[^/?#]*)?([^?#]*)/i.exec(url)?.[1] ?? ''
  return path.length > 1 ? path.replace(/\/+$/, '') : path
}

function orStartError<Opened>(open: () => Opened, host: string, port: number): Opened {
  try {
    return open()
  } catch (cause) {
    const settings = { hostSetting: 'ARQONBUS_HTTP_HOST', portSetting: 'ARQONBUS_HTTP_PORT' }
    throw listenError(cause, { door: 'HTTP server', host, port, ...settings })
  }
}
