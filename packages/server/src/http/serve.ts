/** The HTTP server, on a port of its own: monitoring is served apart from the clients of the bus. */
import { CodedError } from '@arqonbus/protocol'
import type { Server } from 'bun'
import type { FairQueue } from '../kit/fair-queue.ts'
import type { Maybe } from '../kit/maybe.ts'
import { orListenError } from '../kit/start-error.ts'
import { openFiles } from '../kit/system-limits.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Serve } from '../peers/bind.ts'
import type { TlsOptions } from '../peers/certificate.ts'
import type { Peers } from '../peers/peers.ts'
import { type Answer, refusal, responseOf } from './answer.ts'
import type { Api } from './api/api.ts'
import { type BodyBytesOptions, type BodyInProgress, createBodies } from './bodies.ts'
import type { ConsolePages } from './console.ts'
import { createGate, type GateOptions, isProbe, MAX_URL_LENGTH } from './gate.ts'
import { type BusPlace, isWebSocketUpgrade, refuseWebSocket } from './misdirected.ts'
import { createPipelining } from './pipelining.ts'
import { answer, createRoutes, type RouteSources } from './routes.ts'
import { strictTransport } from './security-headers.ts'

/** What the HTTP server is started with. */
export type HttpOptions = RouteSources &
  GateOptions &
  BodyBytesOptions &
  Pick<Peers, 'listen' | 'clientAddress'> & {
    readonly host: string
    readonly port: number
    /** Longer bodies are refused outside of the API, which has limits of its own for long ones. */
    readonly maxBodyBytes: number
    /** What it is called where it cannot listen, and the settings that say where it listens. */
    readonly names: { readonly server: string; readonly settings: { readonly host: string; readonly port: string } }
    /**
     * True where each response asks its client to connect anew for the next request, so that a load balancer can send
     * it elsewhere.
     */
    readonly isStopping: () => boolean
    readonly metrics: Metrics
    /** The HTTP API, where there is one. */
    readonly api: Api | undefined
    /** Where the bus is, for WebSocket clients that connect to this port. */
    readonly bus: BusPlace
    /** The console, where it is served. */
    readonly console: ConsolePages | undefined
    /** Requests that one connection may send without waiting for answers. */
    readonly pipeline: number
    /** After so long without a request a connection is closed, in whole seconds. */
    readonly keepAliveMs: number
    /** The certificate to listen with, asked for each time that the port is opened; without it there is no TLS. */
    readonly tls: (() => TlsOptions) | undefined
    /** Spreads what many ask for at once over turns of the loop. */
    readonly turns: FairQueue
  }

/** A request that has arrived. */
type Arrived = {
  readonly request: Request
  /** The server that took its connection, one of those of the port. */
  readonly server: HttpServer
  /** The address of its client. */
  readonly address: string
  readonly body: BodyInProgress
  /** True for the last one that is answered on its connection. */
  readonly isLast: boolean
}

/** A port at which HTTP is served. */
export type HttpPort = {
  /** Where it is, without a slash at the end. */
  readonly url: string
  readonly port: number
  /** Takes new connections with the certificate that there is now; open ones stay as they are. */
  renew(): void
  /** Closes the port; requests that are being answered get their answer, within a second. */
  close(): Promise<void>
}

/** A server of the runtime. */
type HttpServer = Server<undefined>

/** Longer addresses are not looked at where they arrive. */
const LONGEST_PROBE = 256

/** After so long without a byte a connection is closed whose last request has a body that was not read. */
const UNREAD_BODY_SECONDS = 10

/** How long requests that are being answered have when the port closes. */
const CLOSE_MS = 1000

/** Begins to listen, or throws a StartError that says why it cannot. */
export function serveHttp(options: HttpOptions): HttpPort {
  const { host, port, metrics, logger, turns, clientAddress } = options
  const keepAliveSeconds = Math.ceil(options.keepAliveMs / 1000)
  const routes = createRoutes(options)
  const isLastOf = createPipelining(options.pipeline)
  const gate = createGate(options)
  const beginBody = createBodies(options)

  const respond = async ({ request, server, address, body, isLast }: Arrived): Promise<Response> => {
    // What is too long is not looked at, and refused below.
    const path = request.url.length > MAX_URL_LENGTH ? '' : pathOf(request.url)
    const isUpgrade = isWebSocketUpgrade(request)
    const called = isUpgrade ? undefined : options.api?.(path)
    const isPage = !isUpgrade && called === undefined && options.console?.has(path) === true
    const keepOpen = () => server.timeout(request, 0)
    const answerTo = (): Maybe<Answer | Response> => {
      const refused = gate({ request, path, address, isApi: called !== undefined })
      if (refused !== undefined) return refused
      if (isUpgrade) return refuseWebSocket(request, options.bus)
      if (called !== undefined) return called.answer({ request, address, keepOpen, takeBytes: body.take })
      return isPage ? options.console!.answer(request, path) : answer(routes, request.method, path)
    }
    let result: Answer | Response
    try {
      result = await answerTo()
    } catch (error) {
      logger.error({ event: 'http_failed', path, address, error })
      result = refusal('internal_error')
    } finally {
      body.end()
    }
    // The runtime keeps the timeout that was set last, also for the requests that follow. The connection of a stream ends
    // with it.
    if (!(result instanceof Response))
      server.timeout(request, isBodyUnread(request) ? UNREAD_BODY_SECONDS : keepAliveSeconds)
    const route = called?.route ?? (isPage || (!isUpgrade && routes.has(path)) ? path : 'other')
    metrics.httpRequest(request.method, route, result.status)
    if (isLast) metrics.limit('http_pipeline')
    // Many may have waited for one answer.
    return turns.take(() => {
      const response = result instanceof Response ? result : responseOf(result, request.method)
      const strict = options.tls && strictTransport(request.headers.get('host'))
      if (strict !== undefined) response.headers.set('strict-transport-security', strict)
      if (isLast || options.isStopping() || openFiles.isNearLimit()) response.headers.set('connection', 'close')
      return response
    })
  }

  /** At once, and the connection ends: the runtime would keep a body that arrives before its request is answered. */
  const refuseBody = (request: Request, problem: unknown): Response => {
    if (!(problem instanceof CodedError)) throw problem
    const called = calledBy(request)
    const refused = refusal(problem, { connection: 'close', ...called?.originHeaders(request.headers) })
    metrics.httpRequest(request.method, called?.route ?? 'other', refused.status)
    return responseOf(refused, request.method)
  }

  const calledBy = ({ url }: Request) => (url.length > MAX_URL_LENGTH ? undefined : options.api?.(pathOf(url)))

  const checkLength = (request: Request) => {
    const length = Number(request.headers.get('content-length'))
    if (length <= options.maxBodyBytes) return
    const limit = calledBy(request)?.longestBody(request.method) ?? options.maxBodyBytes
    if (length <= limit) return
    metrics.limit('message_bytes')
    throw new CodedError('message_too_large', { limit_bytes: limit })
  }

  const fetch = (request: Request, server: HttpServer): Maybe<Response> => {
    const connection = server.requestIP(request)
    const isLast = connection !== null && isLastOf(`${connection.address} ${connection.port}`)
    const address = clientAddress(listener.addressOf(connection, server), request.headers)
    let body: BodyInProgress
    try {
      checkLength(request)
      body = beginBody(request, address)
    } catch (problem) {
      return refuseBody(request, problem)
    }
    const work = () => respond({ request, server, address, body, isLast })
    const isShort = request.url.length <= LONGEST_PROBE
    return isShort && isProbe(pathOf(request.url)) ? work() : turns.take(work)
  }

  const serve: Serve<HttpServer> = (hostname, port, isShared) =>
    Bun.serve({
      hostname,
      port,
      fetch,
      idleTimeout: keepAliveSeconds,
      // The runtime refuses without a word. What is too long is refused by its length before it is read, with a code.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      development: false,
      // Outside of development Bun shares a port that is in use, and half of the requests go to another program.
      reusePort: isShared,
      tls: options.tls?.(),
    })
  const listener = orListenError(() => options.listen({ host, port }, serve), { ...options.names, host, port })
  const address = `${host.includes(':') ? `[${host}]` : host}:${listener.port}`
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://${address}`,
    port: listener.port,
    renew: () => void listener.renew(),
    close: () => closeWithin(listener, CLOSE_MS),
  }
}

/** True where a request was answered before its body was read: it may never arrive. */
const isBodyUnread = ({ headers, bodyUsed }: Request): boolean =>
  !bodyUsed && (headers.has('transfer-encoding') || (headers.get('content-length') ?? '0') !== '0')

/** A request that never ends, such as half a body or a stream without a reader, must not delay the shutdown. */
async function closeWithin(server: Pick<HttpServer, 'stop'>, ms: number): Promise<void> {
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
