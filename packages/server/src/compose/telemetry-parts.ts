/**
 * Creates telemetry: events of what happens on the bus, their audiences, and the server that telemetry subscribers
 * connect to.
 */
import type { Greeting } from '../connections/enter.ts'
import type { AwaitToken } from '../connections/pending.ts'
import { TokenExpiry } from '../connections/token-expiry.ts'
import { systemClock } from '../kit/clock.ts'
import { explained, StartError } from '../kit/start-error.ts'
import { after, until } from '../kit/timer.ts'
import { createSubscriberReceive } from '../receive/telemetry-subscriber.ts'
import { createTelemetryHandler, type TelemetryHandler, type TelemetryPort } from '../sockets/telemetry-handler.ts'
import { createBuiltIn } from '../state/bootstrap.ts'
import { TelemetryBroadcast } from '../telemetry/broadcast.ts'
import { createEmitter } from '../telemetry/emitter.ts'
import { createTelemetryEvents } from '../telemetry/events.ts'
import { createIdleWatch } from '../telemetry/idle-agents.ts'
import { createTelemetry } from '../telemetry/relay.ts'
import type { TelemetrySubscriber, TelemetrySubscribers } from '../telemetry/subscribers.ts'
import type { Core } from './core.ts'
import type { Outbound } from './outbound.ts'
import type { Ports } from './ports.ts'
import type { State } from './state.ts'

/** Telemetry of a server. */
export type TelemetryParts = ReturnType<typeof createTelemetryParts>

/** An agent that falls silent is reported to be idle so much later at most. */
const IDLE_EVERY_MS = 1000

/** What telemetry needs of the other parts. */
type TelemetryPartsDeps = {
  readonly state: State
  readonly outbound: Outbound
  readonly ports: Ports
  readonly greeting: Greeting
  /** Waits for the tokens of connections that bring none. */
  readonly awaitToken: AwaitToken
}

/** Creates the telemetry of a server, with the two built-in channels that carry it. */
export function createTelemetryParts(core: Core, { state, outbound, ports, greeting, awaitToken }: TelemetryPartsDeps) {
  const { config, clock, metrics, observers } = core
  const { clients, rooms } = state
  const { telemetrySubscribers: subscribers, buffers } = outbound
  const broadcast = new TelemetryBroadcast({
    ...core,
    ...config,
    bufferBytes: config.telemetryBufferBytes,
    buffers,
    subscribers,
    publish: ports.telemetry.publish,
  })
  const relay = createTelemetry({
    ...core,
    ...outbound,
    ...createBuiltIn(rooms),
    traffic: state.traffic,
    subscribers,
    broadcast,
  })
  const emitter = createEmitter({
    emit: relay.emit,
    isSending: relay.isSending,
    summed: (count, reason) => metrics.telemetryDropped(reason, count),
    later: after,
    ...config,
  })
  const events = createTelemetryEvents({
    emitter,
    isWatched: relay.isWatched,
    isHeard: relay.isHeard,
    findChannel: (room, channel) => rooms.channel(room, channel),
    now: clock.monotonic,
  })
  observers.add(events)
  const expiry = new TokenExpiry<TelemetrySubscriber>({
    clock,
    tokenExpiryNoticeMs: config.tokenExpiryNoticeMs,
    expiring: (subscriber, inMs) =>
      broadcast.send(subscriber, core.frames.notice({ event: 'token_expiring', expires_in_ms: inMs })),
    expired: (subscriber) => broadcast.close(subscriber, 'unauthenticated', 'the token has expired'),
  })
  const handler = createTelemetryHandler({
    ...core,
    authentication: core.auth.authentication,
    awaitToken,
    expiry,
    options: config,
    subscribers,
    broadcast,
    receive: createSubscriberReceive({ ...core, limits: config, broadcast, relay: relay.fromSubscriber }),
    greeting: () => {
      const { node, bus, versions, limits, heartbeat_ms } = greeting
      return { node, bus: bus(), versions, limits, heartbeat_ms }
    },
    isTaken: (id) => state.directory.find(id)?.kind === 'connection',
  })
  return {
    relay,
    broadcast,
    expiry,
    /** Ends subscribers whose tokens are revoked. */
    endSubscribers(isEnded: (subscriber: TelemetrySubscriber) => boolean, reason: string) {
      for (const subscriber of [...subscribers.all()])
        if (isEnded(subscriber)) broadcast.close(subscriber, 'unauthenticated', reason)
    },
    /** Looks for agents that have fallen silent. Called every `idleEveryMs`. */
    lookForIdle: createIdleWatch({
      ...config,
      clients: clients.all,
      isWanted: () => clients.countByType()['ai-agent'] > 0 && relay.isHeard('agent_activity'),
      idle: events.idle,
      now: clock.monotonic,
    }),
    idleEveryMs: Math.min(IDLE_EVERY_MS, config.agentIdleMs),
    /** How many events wait for a tick. */
    waiting: emitter.waiting,
    /** Sends at once the events that wait, before a shutdown. */
    flush: emitter.flush,
    server: createTelemetryServer(core, { port: ports.telemetry, handler, subscribers, broadcast }),
  }
}

type TelemetryServerParts = {
  readonly port: TelemetryPort
  readonly handler: TelemetryHandler
  readonly subscribers: TelemetrySubscribers
  readonly broadcast: TelemetryBroadcast
}

/** When subscribers reconnect after a shutdown: spread over two seconds. */
const RECONNECT_MS = 1000

function createTelemetryServer(
  { config, frames, logger, lifecycle }: Core,
  { port, handler, subscribers, broadcast }: TelemetryServerParts,
) {
  return {
    /** Begins to listen; a `StartError` where that is not possible and the configuration requires it. */
    async listen() {
      if (!config.telemetry) return
      try {
        port.listen(handler)
      } catch (cause) {
        const problem = await explained(cause)
        if (config.telemetryRequired || !(problem instanceof StartError)) throw problem
        lifecycle.telemetryFault = problem.message
        logger.warn({ event: 'telemetry_unavailable', error: problem.message })
      }
    },
    /** Notifies its subscribers that the bus shuts down. */
    announceEnd() {
      for (const subscriber of subscribers.all()) {
        const reconnect_after_ms = Math.round(RECONNECT_MS * (1 + Math.random()))
        const notice = { event: 'shutdown', drain_ms: config.drainTimeoutMs, reconnect_after_ms }
        broadcast.send(subscriber, frames.notice(notice))
      }
    },
    /** Ends all connections within that time, and stops listening. */
    async close(timeoutMs: number) {
      broadcast.flush()
      for (const subscriber of [...subscribers.all()]) broadcast.close(subscriber, 'restarting')
      await until(() => port.connections === 0, systemClock.monotonic() + timeoutMs)
      await port.close()
    },
  }
}
