/** What every part of a server needs, and what exists before all of them. */
import { type ProtocolVersions, protocolVersions } from '@arqonbus/protocol'
import type { ConfiguredPermissions } from '../auth/configured-permissions.ts'
import { createKeyCheck } from '../auth/secrets.ts'
import { type Config, type StartWarning, tracesUrl } from '../config/index.ts'
import type { ConnectRequest } from '../connections/admit.ts'
import { createFrames, type Frames } from '../delivery/frames.ts'
import type { ConsoleFile } from '../http/console.ts'
import { type Clock, systemClock } from '../kit/clock.ts'
import { createFairQueue, type FairQueue } from '../kit/fair-queue.ts'
import { randomId } from '../kit/random-id.ts'
import { byTimer, type Every } from '../kit/timer.ts'
import { Accounts } from '../limits/accounts.ts'
import { type Logger, silentLogger } from '../observability/logger.ts'
import { createMetrics, type Metrics } from '../observability/metrics.ts'
import { boundedLogger } from '../observability/rate-limited-logger.ts'
import type { Tracing } from '../observability/tracing/tracing.ts'
import type { BusLog } from '../publish/draft.ts'
import type { InboundState } from '../receive/inbound.ts'
import { drainMicrotasks } from '../sockets/microtasks.ts'
import type { PortDeps, PortOptions, WebSocketPort } from '../sockets/socket-handler.ts'
import { type BusObservers, createBusObservers } from '../state/bus-observer.ts'
import { Lifecycle } from '../state/lifecycle.ts'
import { type AuthParts, createAuthentication } from './authentication.ts'
import { createConfiguredPermissions } from './permission-files.ts'
import { createReload, type ReadSettings, type Reload, type ReloadPart } from './settings-reload.ts'
import { createServerTls, type ServerTls } from './tls.ts'

/** The port of the bus. */
export type BusPort = WebSocketPort<ConnectRequest, InboundState>

/** What a server is started with. */
export type StartOptions = {
  readonly config: Config
  /** What loading the settings found that deserves a line in the log. */
  readonly warnings?: readonly StartWarning[]
  readonly logger?: Logger
  readonly clock?: Clock
  /** The log of the channels; without it, the one that the configuration names. */
  readonly log?: (options: { clock: Clock; metrics: Metrics; config: Config }) => BusLog
  /** The protocol versions that are spoken. */
  readonly versions?: ProtocolVersions
  /** The files of the console; without them it is not served. */
  readonly consoleFiles?: () => Promise<readonly ConsoleFile[]>
  /** Creates the port of the bus; without it, one of the runtime. */
  readonly createBusPort?: (options: PortOptions, deps: PortDeps) => BusPort
  /** Reads all sources of settings again, for a reload; without it, only files that settings name are read again. */
  readonly readSettings?: ReadSettings
  /** Parts outside of the server that take new settings. */
  readonly reloadParts?: readonly ReloadPart[]
  /** Does something again and again; timers of the runtime without it. */
  readonly every?: Every
}

/** What every part may need. */
export type Core = {
  readonly config: Config
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly every: Every
  readonly versions: ProtocolVersions
  /** The id of this server among those that share a log. */
  readonly node: string
  readonly lifecycle: Lifecycle
  readonly observers: BusObservers
  readonly frames: Frames
  readonly turns: FairQueue
  readonly accounts: Accounts
  readonly isAdminKey: (key: string) => boolean
  /** What the configuration permits. */
  readonly permissions: ConfiguredPermissions
  readonly auth: AuthParts
  /** Reads the settings again; each part that takes new ones adds itself. */
  readonly reload: Reload
  /** The certificate of the ports; undefined where they speak without TLS. */
  readonly tls: ServerTls | undefined
  readonly newClientId: () => string
  /** Undefined where no traces are exported: then nothing of them is loaded. */
  readonly tracing: Tracing | undefined
}

/** Creates the core of a server. */
export async function createCore(options: StartOptions): Promise<Core> {
  const { config, clock = systemClock, versions = protocolVersions, every = byTimer } = options
  const logger = boundedLogger(options.logger ?? silentLogger, { perSecond: 100 })
  const metrics = createMetrics({ now: clock.monotonic })
  const node = randomId(8)
  const reload = createReload({ config, logger, read: options.readSettings ?? (() => ({ config })) })
  for (const part of options.reloadParts ?? []) reload.add(part)
  const isAdminKey = createAdminKeyCheck(config, reload)
  const parts = { config, clock, logger, metrics, node, isAdminKey }
  const url = tracesUrl(config)
  const tracing =
    url === undefined
      ? undefined
      : (await import('../observability/tracing/tracing.ts')).createTracing({ ...parts, url })
  return {
    ...parts,
    every,
    versions,
    lifecycle: new Lifecycle(),
    observers: createBusObservers(),
    frames: createFrames(clock, node),
    turns: createFairQueue(clock, drainMicrotasks),
    accounts: new Accounts({
      now: clock.monotonic,
      rates: { account: config.rateLimit, address: config.addressRate, command: config.commandRate },
    }),
    permissions: await createConfiguredPermissions(config.permissions),
    auth: await createAuthentication({ ...parts, reload }),
    reload,
    tls: createServerTls(parts),
    newClientId: () => `client-${randomId(12)}`,
    tracing,
  }
}

/** The check of the admin key that is in force. Connections that it has made admins stay so when it changes. */
function createAdminKeyCheck(config: Config, reload: Reload): (key: string) => boolean {
  let check = createKeyCheck(config.adminKey)
  reload.add({
    name: 'admin_key',
    settings: ['adminKey'],
    prepare:
      ({ adminKey }) =>
      () => {
        check = createKeyCheck(adminKey)
      },
  })
  return (key) => check(key)
}
