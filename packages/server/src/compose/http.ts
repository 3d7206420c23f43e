/** Joins what answers HTTP: health and metrics, the API with its streams, and the console. */

import type { Config } from '../config/index.ts'
import { createHttpClients, type HttpClientDeps } from '../connections/http-clients.ts'
import { createApi } from '../http/api/api.ts'
import { type CallsDeps, createCalls } from '../http/api/calls.ts'
import { type ConsoleFile, createConsole } from '../http/console.ts'
import type { Health, Readiness } from '../http/routes.ts'
import { type HttpDoor, serveHttp } from '../http/serve.ts'
import { createStreams, type Streams, type StreamsDeps } from '../http/streams/streams.ts'
import type { FairQueue } from '../kit/fair-queue.ts'
import { randomId } from '../kit/random-id.ts'
import { versionInfo } from '../kit/version.ts'
import type { Logger } from '../observability/logger.ts'
import type { Peers } from '../peers/peers.ts'

/** What HTTP needs. */
export type HttpDeps = Omit<StreamsDeps, 'sendBufferHardLimit'> &
  Omit<HttpClientDeps, 'newGuestId'> &
  Pick<CallsDeps, 'isDraining'> & {
    readonly config: Config
    readonly logger: Logger
    /** The protocol versions that are spoken. */
    readonly versions: readonly string[]
    readonly health: () => Health
    readonly ready: () => Readiness
    /** True from the signal to stop on: connections are not kept for further requests. */
    readonly isStopping: () => boolean
    /** The files of the console, where there are some. */
    readonly consoleFiles: (() => Promise<readonly ConsoleFile[]>) | undefined
    /** The port of the bus, which the console connects to. */
    readonly busPort: number
    readonly peers: Peers
    readonly turns: FairQueue
  }

/** The open door of HTTP, and the streams that it has. */
export type HttpServer = HttpDoor & { readonly streams: Streams }

/** Opens it; a `StartError` where it cannot. */
export function openHttp(deps: HttpDeps): HttpServer {
  const { config, clock, metrics, versions, consoleFiles, busPort, peers } = deps
  const streams = createStreams({ ...deps, ...config })
  const calls = createCalls({
    ...deps,
    limits: config,
    admitGuest: createHttpClients({ ...deps, newGuestId: () => `api-${randomId(12)}` }),
    streams,
  })
  const api = createApi({
    limits: config,
    clock,
    metrics,
    calls,
    streams,
    mayCall: peers.mayCall,
    logger: deps.logger,
  })
  const version = { ...versionInfo, supported: [...versions] }
  const door = serveHttp({
    ...deps,
    ...peers,
    host: config.httpHost,
    port: config.httpPort,
    rate: config.httpRate,
    pipeline: config.httpPipeline,
    cacheMs: config.httpCacheMs,
    now: clock.monotonic,
    version,
    api: config.api ? api : undefined,
    maxBodyBytes: config.maxMessageBytes,
    console:
      consoleFiles !== undefined && config.console
        ? createConsole({ files: consoleFiles, busPort, busUrl: config.consoleBusUrl, version: version.version })
        : undefined,
  })
  return { ...door, streams }
}
