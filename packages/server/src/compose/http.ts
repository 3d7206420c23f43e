/** Creates what answers HTTP: health and metrics, the API with its streams, and the console. */
import { createHttpClientFactory } from '../connections/http-clients.ts'
import { createApi } from '../http/api/api.ts'
import { createAuthenticateCall } from '../http/api/authenticate-call.ts'
import { createCalls } from '../http/api/calls.ts'
import { createConsole } from '../http/console.ts'
import { routePaths } from '../http/routes.ts'
import { type HttpPort, serveHttp } from '../http/serve.ts'
import { createAwaited } from '../http/streams/awaited.ts'
import { Streams } from '../http/streams/streams.ts'
import { randomId } from '../kit/random-id.ts'
import { versionInfo } from '../kit/version.ts'
import type { Core, StartOptions } from './core.ts'
import type { InboundPath, InboundPathParts } from './inbound-path.ts'
import { createMetricsTokenCheck, openMetrics, type SharedOptions } from './metrics-port.ts'

/** What HTTP needs of the other parts. */
type HttpParts = Pick<InboundPathParts, 'log' | 'state' | 'outbound' | 'persistence' | 'info' | 'figures' | 'ports'> & {
  readonly inbound: InboundPath
  readonly consoleFiles: StartOptions['consoleFiles']
}

/** The HTTP port, the streams that it has, and the port of the metrics where they have one. */
export type HttpServer = HttpPort & { readonly streams: Streams; readonly metricsPort: HttpPort | undefined }

/** Begins to listen; a `StartError` where that is not possible. */
export function openHttp(core: Core, parts: HttpParts): HttpServer {
  const { config, clock, versions, lifecycle, observers } = core
  const { log, state, outbound, inbound, persistence, info, figures, ports, consoleFiles } = parts
  const random = Math.random
  const isDraining = () => lifecycle.isDraining
  const awaited = createAwaited()
  observers.add({ channelAdded: awaited.created })
  const streams = new Streams({
    ...core,
    ...config,
    ...outbound,
    ...inbound,
    random,
    topics: outbound.streamTopics,
    awaited,
    persistence,
  })
  const calls = createCalls({
    ...core,
    ...inbound,
    limits: config,
    acceptHttpClient: createHttpClientFactory({
      ...core,
      ...state,
      ...inbound,
      newHttpClientId: () => `api-${randomId(12)}`,
    }),
    streams,
    tickets: inbound.tickets,
    series: figures.series,
    log,
    isDraining,
  })
  const api = createApi({
    ...core,
    limits: config,
    calls,
    authenticateCall: createAuthenticateCall(inbound),
    streams,
    mayCall: ports.peers.mayCall,
    random,
  })
  const isConsoleServed = consoleFiles !== undefined && config.console
  const { version } = versionInfo
  const bus = { busPort: ports.bus.port, busUrl: config.consoleBusUrl }
  const shared: SharedOptions = {
    ...core,
    ...ports.peers,
    tls: core.tls?.options,
    isMetricsToken: createMetricsTokenCheck(core),
    health: info.health,
    ready: () => ({ ready: !lifecycle.isStopping, reasons: info.stopping() }),
    isStopping: () => lifecycle.isStopping,
    rate: config.httpRate,
    pipeline: config.httpPipeline,
    keepAliveMs: config.httpKeepAliveMs,
    cacheMs: config.httpCacheMs,
    now: clock.monotonic,
    version: { ...versionInfo, supported: [...versions.keys()] },
    maxBodyBytes: config.maxMessageBytes,
    httpBodyBytes: config.httpBodyBytes,
    httpBodyBytesPerAddress: config.httpBodyBytesPerAddress,
    bus,
    api: undefined,
    console: undefined,
  }
  const metricsPort = openMetrics(config, shared)
  const port = orClose(metricsPort, () =>
    serveHttp({
      ...shared,
      host: config.httpHost,
      port: config.httpPort,
      names: { server: 'HTTP server', settings: { host: 'ARQONBUS_HTTP_HOST', port: 'ARQONBUS_HTTP_PORT' } },
      paths: metricsPort === undefined ? routePaths : routePaths.filter((path) => path !== '/metrics'),
      api: config.api ? api : undefined,
      console: isConsoleServed ? createConsole({ files: consoleFiles, ...bus, version }) : undefined,
    }),
  )
  return {
    ...port,
    streams,
    metricsPort,
    renew() {
      port.renew()
      metricsPort?.renew()
    },
    async close() {
      await Promise.all([port.close(), metricsPort?.close()])
    },
  }
}

/** Opens a port; where that is not possible, closes the other one. */
function orClose(other: HttpPort | undefined, open: () => HttpPort): HttpPort {
  try {
    return open()
  } catch (problem) {
    void other?.close()
    throw problem
  }
}
