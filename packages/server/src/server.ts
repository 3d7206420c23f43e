/**
 * Creates the parts of a server, each after everything that it uses, and connects them. What happens on the bus reaches
 * telemetry, persistence and the log lines through the observers, which exist first (`state/bus-observer.ts`).
 */

import { createBusInfo } from './compose/bus-info.ts'
import { type Core, createCore, type StartOptions } from './compose/core.ts'
import { createFigures } from './compose/figures.ts'
import { registerGauges } from './compose/gauges.ts'
import { openHttp } from './compose/http.ts'
import { createInboundPath } from './compose/inbound-path.ts'
import { createOutbound } from './compose/outbound.ts'
import { createReloadPermissions, permissionsPart, type ReloadPermissions } from './compose/permission-files.ts'
import { createPorts } from './compose/ports.ts'
import { createSavedState } from './compose/saved-state.ts'
import type { ReloadResult } from './compose/settings-reload.ts'
import { createShutdown, type Shutdown } from './compose/shutdown.ts'
import { createState, type State } from './compose/state.ts'
import { createStorage } from './compose/storage.ts'
import { createTelemetryParts } from './compose/telemetry-parts.ts'
import { startTimers } from './compose/timers.ts'
import { attachTls } from './compose/tls-ports.ts'
import { createWebhooks } from './compose/webhook-parts.ts'
import { warningsOf } from './config/index.ts'
import { createAwaitToken } from './connections/pending.ts'
import { explained } from './kit/start-error.ts'
import { thisMachine } from './kit/system-limits.ts'
import { createBusHandler } from './sockets/bus-handler.ts'
import { limitKernelBuffers } from './sockets/kernel-buffer.ts'
import { createConfigured, refuseUnmade } from './state/bootstrap.ts'

export type { StartOptions }

/** A bus that runs. */
export type RunningServer = Shutdown & {
  /** Reads the settings again; fails with a coded error where they cannot be used. */
  reload(): Promise<ReloadResult>
  /** `ws://host:port/`; `wss:` with TLS, as the others. */
  readonly busUrl: string
  /** `http://host:port`. */
  readonly httpUrl: string
  /** `ws://host:port/` of the telemetry server; undefined where it does not listen. */
  readonly telemetryUrl: string | undefined
  /** `http://host:port` of metrics and health; undefined where they have no port of their own. */
  readonly metricsUrl: string | undefined
  /** Reads `ARQONBUS_PERMISSIONS` again and applies it to all clients; returns what is wrong with it. */
  readonly reloadPermissions: ReloadPermissions
}

/** Starts a bus; a `StartError` where it cannot. */
export async function startServer(options: StartOptions): Promise<RunningServer> {
  const core = await createCore(options)
  const { config, clock, metrics } = core

  logWarnings(core, options.warnings)
  const storage = createStorage(core)
  const log = options.log?.({ clock, metrics, config }) ?? storage.log
  const info = createBusInfo(core, log, storage)
  const state = createState(core, log)
  const ports = createPorts(core, options.createBusPort)
  const webhooks = createWebhooks(core, storage, state)
  const outbound = createOutbound(core, { log, state, ports, webhooks })
  const persistence = createSavedState(core, storage, state, outbound)
  const awaitToken = createAwaitToken({ ...core, limits: config })
  const { greeting } = info
  const telemetry = createTelemetryParts(core, { state, outbound, ports, greeting, awaitToken })
  logCreatedChannels(core)
  createConfiguredRooms(core, state)
  const figures = createFigures(core, { log, storage, state, outbound, info, ports })
  const inbound = createInboundPath(core, {
    log,
    state,
    outbound,
    persistence,
    telemetry: telemetry.relay,
    info,
    figures,
    ports,
    awaitToken,
    storeRevocation: storage.storeRevocation,
    endSubscribers: telemetry.endSubscribers,
  })

  // What was stored is there before a client can ask for it.
  await storage.start()
  const created = { log, storage, state, outbound, inbound, persistence, telemetry, webhooks, info, figures, ports }
  const http = await orClose([ports.bus, telemetry.server, storage], async () => {
    ports.bus.listen(createBusHandler({ ...core, ...outbound, ...inbound, options: config }))
    await telemetry.server.listen()
    return openHttp(core, { ...created, consoleFiles: options.consoleFiles })
  })
  const parts = { ...created, http }
  const limitBuffers = () =>
    limitKernelBuffers([ports.bus.port, ports.telemetry.port, http.port], config.socketSendBytes)
  limitBuffers()
  attachTls(core, parts, limitBuffers)
  registerGauges(core, parts)
  const shutdown = createShutdown(core, parts, startTimers(core, parts))

  const reloadPermissions = createReloadPermissions(core, {
    renewal: inbound.renewal,
    subscribers: outbound.telemetrySubscribers,
    broadcast: telemetry.broadcast,
  })
  core.reload.add(permissionsPart(core.permissions, reloadPermissions))
  return {
    ...shutdown,
    reload: core.reload.run,
    reloadPermissions,
    busUrl: ports.bus.url!,
    httpUrl: http.url,
    telemetryUrl: ports.telemetry.url,
    metricsUrl: http.metricsPort?.url,
  }
}

/** What of the settings hurts later, by what this machine has. */
function logWarnings({ config, logger }: Core, found: StartOptions['warnings'] = []): void {
  for (const warning of [...found, ...warningsOf(config, thisMachine)]) logger.warn(warning)
}

/**
 * Rooms and channels that the configuration names; where one of them cannot be created, a strict configuration refuses
 * to start.
 */
function createConfiguredRooms({ config, logger, lifecycle }: Core, { rooms }: State): void {
  lifecycle.unmade = createConfigured(rooms, config.rooms)
  refuseUnmade(lifecycle.unmade, config.bootstrap, rooms.size)
  for (const failure of lifecycle.unmade) logger.warn({ event: 'bootstrap_incomplete', failure })
}

function logCreatedChannels({ logger, observers }: Core): void {
  observers.add({
    channelCreated({ room, name, createdBy }) {
      logger.info({ event: 'channel_created', room: room.name, channel: name, client_id: createdBy })
    },
  })
}

/** Closes what is open where the start fails. */
async function orClose<T>(
  parts: readonly { close(timeoutMs: number): unknown }[],
  start: () => Promise<T>,
): Promise<T> {
  try {
    return await start()
  } catch (problem) {
    await Promise.all(parts.map((part) => part.close(0)))
    throw await explained(problem)
  }
}
