/** Joins what telemetry is made of: what the parts of the bus report, who hears it, and the server that they listen at (protocol §8). */
import { CodedError } from '@arqonbus/protocol'
import type { Config } from '../config/index.ts'
import { Refused } from '../connections/admit.ts'
import type { Greeting } from '../connections/enter.ts'
import type { Frames } from '../delivery/frames.ts'
import type { SendBuffers } from '../delivery/send-buffers.ts'
import { type Clock, systemClock } from '../kit/clock.ts'
import { StartError } from '../kit/start-error.ts'
import { after } from '../kit/timer.ts'
import type { Metrics } from '../observability/metrics.ts'
import { createListenerReceive, type ListenerReceiveDeps } from '../receive/telemetry-subscriber.ts'
import { openTelemetryDoor, type TelemetryDoor, type TelemetryDoorDeps } from '../sockets/telemetry-socket.ts'
import type { Clients } from '../state/clients.ts'
import type { Rooms } from '../state/rooms.ts'
import { createTelemetryBroadcast, type TelemetryBroadcast } from '../telemetry/broadcast.ts'
import { createEmitter } from '../telemetry/emitter.ts'
import { createTelemetryEvents, type TelemetryEvents } from '../telemetry/events.ts'
import { createIdleWatch } from '../telemetry/idle-agents.ts'
import type { Telemetry } from '../telemetry/relay.ts'
import { createTelemetrySubscribers, type TelemetrySubscribers } from '../telemetry/subscribers.ts'

/** What reporting needs. What is made later is asked for when it is needed. */
export type ReportingDeps = {
  readonly config: Pick<Config, 'agentIdleMs'>
  readonly clock: Clock
  readonly metrics: Metrics
  readonly clients: Clients
  readonly rooms: () => Rooms
  readonly telemetry: () => Telemetry
}

/** What the parts of the bus report, on its way to who hears it. */
export type Reporting = {
  readonly reports: TelemetryEvents
  /** Looks for agents that have fallen silent. Called every `idleEveryMs`. */
  readonly lookForIdle: () => void
  readonly idleEveryMs: number
  /** Tells at once what waits for the end of its tick. */
  readonly flush: () => void
}

/** Whoever falls silent is told to be idle so much later at most. */
const IDLE_EVERY_MS = 1000

/** Makes it. */
export function createReporting({ config, clock, metrics, clients, rooms, telemetry }: ReportingDeps): Reporting {
  const emitter = createEmitter({
    emit: (event) => telemetry().tell(event),
    summed: (count) => metrics.telemetryDropped('budget', count),
    later: after,
  })
  const reports = createTelemetryEvents({
    emitter,
    isWatched: () => telemetry().isWatched(),
    isHeard: (type) => telemetry().isHeard(type),
    isPrivate: (room, channel) => rooms().channel(room, channel)?.type === 'private',
    now: clock.monotonic,
  })
  return {
    reports,
    lookForIdle: createIdleWatch({
      ...config,
      clients: clients.all,
      isWanted: () => clients.countByType()['ai-agent'] > 0 && telemetry().isHeard('agent_activity'),
      idle: reports.idle,
      now: clock.monotonic,
    }),
    idleEveryMs: Math.min(IDLE_EVERY_MS, config.agentIdleMs),
    flush: emitter.flush,
  }
}

/** What the telemetry server needs. */
export type TelemetryServerDeps = Omit<ListenerReceiveDeps, 'clock' | 'limits' | 'toListeners' | 'relay'> &
  Pick<TelemetryDoorDeps, 'newClientId' | 'isDraining' | 'peers'> & {
    readonly config: Config
    readonly clock: Clock
    readonly clients: Clients
    readonly isAdminKey: (key: string) => boolean
    readonly frames: Frames
    readonly telemetry: () => Telemetry
    readonly greeting: Greeting
    readonly buffers: Pick<SendBuffers, 'limit'>
  }

/** The telemetry server. */
export type TelemetryServer = {
  readonly listeners: TelemetrySubscribers
  readonly toListeners: TelemetryBroadcast
  /** Opens its door; a `StartError` where it cannot and must. */
  open(): void
  /** Where it listens; undefined where it does not. */
  readonly url: string | undefined
  /** Why it does not listen, though it should. */
  readonly fault: string | undefined
  readonly connections: number
  /** Bytes that wait for its listeners. */
  queueBytes(): number
  /** Tells everybody that the bus shuts down. */
  announceEnd(): void
  /** Lets everybody go, within that time, and ends. */
  close(timeoutMs: number): Promise<void>
}

/** When listeners come back after a shutdown: spread over two seconds. */
const RECONNECT_MS = 1000

/** Makes it. */
export function createTelemetryServer(deps: TelemetryServerDeps): TelemetryServer {
  const { config, clock, metrics, logger, frames, clients, isAdminKey } = deps
  const { node, bus, versions, limits, heartbeat_ms } = deps.greeting
  const listeners = createTelemetrySubscribers()
  let door: TelemetryDoor | undefined
  let fault: string | undefined
  const toListeners = createTelemetryBroadcast({
    ...config,
    bufferBytes: config.telemetryBufferBytes,
    buffers: deps.buffers,
    listeners,
    frames,
    clock,
    logger,
    metrics,
    publish: (topic, text) => door?.publish(topic, text) ?? true,
  })
  const receive = createListenerReceive({
    ...deps,
    limits: config,
    toListeners,
    relay: (listener, envelope) => deps.telemetry().fromListener(listener, envelope),
  })
  return {
    listeners,
    toListeners,
    open() {
      if (!config.telemetry) return
      try {
        door = openTelemetryDoor(config, {
          ...deps,
          greeting: () => ({ node, bus: bus(), versions, limits, heartbeat_ms }),
          listeners,
          toListeners,
          receive,
          isTaken: (id) => clients.get(id)?.kind === 'connection',
          authenticate: (token) => authenticate(token, isAdminKey),
        })
      } catch (problem) {
        if (config.telemetryRequired || !(problem instanceof StartError)) throw problem
        fault = problem.message
        logger.warn({ event: 'telemetry_unavailable', error: fault })
      }
    },
    get url() {
      return door?.url
    },
    get fault() {
      return fault
    },
    get connections() {
      return door?.connections ?? 0
    },
    queueBytes() {
      let bytes = 0
      for (const { transport } of listeners.all()) bytes += transport.bufferedBytes()
      return bytes
    },
    announceEnd() {
      for (const listener of listeners.all()) {
        const reconnect_after_ms = Math.round(RECONNECT_MS * (1 + Math.random()))
        const notice = { event: 'shutdown', drain_ms: config.drainTimeoutMs, reconnect_after_ms }
        toListeners.toListener(listener, frames.notice(notice))
      }
    },
    async close(timeoutMs) {
      toListeners.flush()
      for (const listener of [...listeners.all()]) toListeners.close(listener, 'restarting')
      const deadline = systemClock.monotonic() + timeoutMs
      while ((door?.connections ?? 0) > 0 && systemClock.monotonic() < deadline)
        await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
      await door?.close()
    },
  }
}

const LOOK_EVERY_MS = 10

/** As on the bus: a token is the admin key. Without one everybody may listen, as everybody may read the two channels. */
function authenticate(token: string | undefined, isAdminKey: (key: string) => boolean): void {
  if (token !== undefined && !isAdminKey(token)) throw new Refused(new CodedError('unauthenticated'), 'unauthenticated')
}
