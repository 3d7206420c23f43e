/** The HTTP server, on a port of its own: monitoring is served apart from the clients of the bus. */
import type { Server } from 'bun'
import type { FairQueue } from '../kit/fair-queue.ts'
import type { Maybe } from '../kit/maybe.ts'
import { listenError } from '../kit/start-error.ts'
import { openFiles } from '../kit/system-limits.ts'
import type { VersionInfo } from '../kit/version.ts'
import type { Rate } from '../limits/bucket.ts'
import { type Logger, silentLogger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import { type Listen, listenPlainly } from '../peers/bind.ts'
import type { ClientAddress } from '../peers/client-address.ts'
import type { IsHostAllowed } from '../peers/hosts.ts'
import { type Answer, refusal, responseOf } from './answer.ts'
import type { Api, ApiPath } from './api/api.ts'
import type { ConsolePages } from './console.ts'
import { createGate, isProbe, MAX_URL_LENGTH } from './gate.ts'
import { createPipelining } from './pipelining.ts'
import { answer, createRoutes, type Health, type Readiness } from './routes.ts'

/** What the HTTP server is started with. */
export type HttpOptions = {
  host: string
  port: number
  health: () => Health
  ready: () => Readiness
  /**
   * True where each response asks its client to connect anew for the next request, so that a load balancer can send it
   * elsewhere.
   */
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
  /** Makes the port listen; in the usual way where nothing else is said. */
  listen?: Listen
  /** The address of a client; that of its connection where nothing else is said. */
  clientAddress?: ClientAddress
  /** Names that may be asked for; all where nothing is said. */
  isHostAllowed?: IsHostAllowed
  /** Requests of one address that are not for the API. */
  rate?: Rate | null
  /** Requests that one connection may send without waiting for answers. */
  pipeline?: number
  /** How old an answer of `/metrics` and `/health` may be. */
  cacheMs?: number
  /** Spreads what many ask for at once over turns of the loop. */
  turns?: FairQueue
}

/** A port at which HTTP is served. */
export type HttpPort = {
  /** Where it is, without a slash at the end. */
  readonly url: string
  readonly port: number
  /** Closes the port; requests that are being answered get their answer, within a second. */
  close(): Promise<void>
}

/** Seconds after which a connection that sends nothing, or half a head, is closed. */
const IDLE_SECONDS = 10

/** Longer addresses are not looked at where they arrive. */
const LONGEST_PROBE = 256

/** How long requests that are being answered have when the port closes. */
const CLOSE_MS = 1000

/** The longest body by default. */
const USUAL_BODY_BYTES = 64 * 1024

/** Begins to listen, or throws a StartError that says why it cannot. */
export function serveHttp(options: HttpOptions): HttpPort {
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
  const isLastOf = createPipelining(options.pipeline ?? Number.POSITIVE_INFINITY)
  const { rate = null, clientAddress = (connection) => connection, isHostAllowed = () => true } = options
  const gate = createGate({ ...options, isHostAllowed, rate, maxBodyBytes, logger, now })
  const inTurn = <Result>(work: () => Maybe<Result>): Maybe<Result> => options.turns?.take(work) ?? work()

  const answerTo = ({ request, path, called, address, isPage }: Asked): Maybe<Answer | Response> => {
    const refused = gate({ request, path, address, isApi: called !== undefined })
    if (refused !== undefined) return refused
    if (called !== undefined) return called.answer({ request, address, keepOpen: () => server.timeout(request, 0) })
    return isPage ? options.console!.answer(request, path) : answer(routes, request.method, path)
  }

  const respond = async ({ request, connection, isLast }: Arrived): Promise<Response> => {
    // What is too long is not looked at, and refused below.
    const path = request.url.length > MAX_URL_LENGTH ? '' : pathOf(request.url)
    const called = options.api?.(path)
    const isPage = called === undefined && options.console?.has(path) === true
    const address = clientAddress(listener.addressOf(connection), request.headers)
    let result: Answer | Response
    try {
      result = await answerTo({ request, path, called, address, isPage })
    } catch (error) {
      logger.error({ event: 'http_failed', path, address, error })
      result = refusal('internal_error')
    }
    const route = called?.route ?? (isPage || routes.has(path) ? path : 'other')
    metrics.httpRequest(request.method, route, result.status)
    if (isLast) metrics.limit('http_pipeline')
    // Many may have waited for one answer.
    return inTurn(() => {
      const response = result instanceof Response ? result : responseOf(result, request.method)
      if (isLast || isStopping() || openFiles.isNearLimit()) response.headers.set('connection', 'close')
      return response
    })
  }

  const fetch = (request: Request): Maybe<Response> => {
    const connection = server.requestIP(request)
    const isLast = connection !== null && isLastOf(`${connection.address} ${connection.port}`)
    const work = () => respond({ request, connection, isLast })
    const isShort = request.url.length <= LONGEST_PROBE
    return isShort && isProbe(pathOf(request.url)) ? work() : inTurn(work)
  }

  const serve = (hostname: string, port: number) =>
    Bun.serve({
      hostname,
      port,
      fetch,
      idleTimeout: IDLE_SECONDS,
      // The runtime refuses without a word. What is too long is refused by its length before it is read, with a code.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      development: false,
      // Outside of development Bun shares a port that is in use, and half of the requests go to another program.
      reusePort: false,
    })
  const { listen = listenPlainly } = options
  const listener = orStartError(() => listen({ host, port }, serve), host, port)
  const { server } = listener
  const address = `${host.includes(':') ? `[${host}]` : host}:${listener.port}`
  return { url: `http://${address}`, port: listener.port, close: () => closeWithin(listener, CLOSE_MS) }
}

/** A request, and what is known where it arrives. */
type Arrived = {
  readonly request: Request
  readonly connection: ReturnType<Server<undefined>['requestIP']>
  /** True for the last one that is answered on its connection. */
  readonly isLast: boolean
}

/** A request, with what its head says. */
type Asked = {
  readonly request: Request
  readonly path: string
  readonly called: ApiPath | undefined
  readonly address: string
  readonly isPage: boolean
}

/** A request that never ends, such as half a body or a stream without a reader, must not delay the shutdown. */
async function closeWithin(server: Pick<Server<undefined>, 'stop'>, ms: number): Promise<void> {
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
    throw listenError(cause, { server: 'HTTP server', host, port, ...settings })
  }
}
