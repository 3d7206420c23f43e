/** The door of the telemetry server: upgrades, and frames in and out (protocol §8). Nothing here is on the way of a message. */
import {
  type CloseName,
  CodedError,
  closeCodes,
  DASHBOARD_CHANNEL,
  type ProtocolVersions,
  TELEMETRY_CHANNEL,
  TELEMETRY_ROOM,
  type TelemetryWelcome,
} from '@arqonbus/protocol'
import type { Server, ServerWebSocket } from 'bun'
import { Refused } from '../connections/admit.ts'
import type { Frames } from '../delivery/frames.ts'
import { type Clock, isoTime } from '../kit/clock.ts'
import type { FairQueue } from '../kit/fair-queue.ts'
import type { Maybe } from '../kit/maybe.ts'
import { listenError } from '../kit/start-error.ts'
import type { Rate } from '../limits/bucket.ts'
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Peers } from '../peers/peers.ts'
import {
  createSubscriberInbound,
  type ListenerReceive,
  type SubscriberInbound,
} from '../receive/telemetry-subscriber.ts'
import type { PublishToTopic } from '../state/transport.ts'
import type { TelemetryBroadcast } from '../telemetry/broadcast.ts'
import type { TelemetrySubscriber, TelemetrySubscribers } from '../telemetry/subscribers.ts'
import { topicsOf } from '../telemetry/topics.ts'
import { type ListenerArrival, readListenerHandshake } from './handshake.ts'
import { createTransport } from './socket-transport.ts'
import type { Peer } from './tcp.ts'
import { createRefuse, createUpgrades, runtimeIdleSeconds, saidBy, upgrade } from './upgrade.ts'

/** What the door goes by. */
export type TelemetryDoorOptions = {
  readonly telemetryHost: string
  readonly telemetryPort: number
  readonly telemetryMaxConnections: number
  readonly telemetryMaxConnectionsPerAddress: number
  readonly connectionRate: Rate | null
  readonly telemetryBufferBytes: number
  readonly maxMessageBytes: number
  readonly pingIntervalMs: number
  readonly tokenInQuery: boolean
}

/** What is behind the door. */
export type TelemetryDoorDeps = {
  readonly versions: ProtocolVersions
  readonly clock: Clock
  readonly metrics: Metrics
  readonly logger: Logger
  readonly frames: Frames
  readonly listeners: TelemetrySubscribers
  readonly toListeners: TelemetryBroadcast
  readonly receive: ListenerReceive
  readonly turns: FairQueue
  readonly peers: Peers
  /** What every welcome says. */
  readonly greeting: () => Pick<TelemetryWelcome, 'node' | 'bus' | 'versions' | 'limits' | 'heartbeat_ms'>
  /** Throws `Refused` where a token is wrong, or whoever brings it may not listen. */
  readonly authenticate: (token: string | undefined) => void
  /** True for the id of a client of the bus that is connected. */
  readonly isTaken: (clientId: string) => boolean
  readonly newClientId: () => string
  readonly isDraining: () => boolean
}

/** An open door. */
export type TelemetryDoor = {
  readonly url: string
  /** Open connections. */
  readonly connections: number
  readonly publish: PublishToTopic
  /** Ends all connections at once, and the door. */
  close(): Promise<void>
}

type SocketData = {
  readonly handshake: ListenerArrival | CodedError
  readonly address: string
  /** The other end of the connection itself, which may be a proxy. */
  readonly peer: Peer | undefined
  /** Says that it has ended. */
  uncount: () => void
  inbound: SubscriberInbound | undefined
}

/** A frame of up to four times the limit reaches us and is refused with a reply; a longer one ends the connection (1009). */
const OVERSIZE = 4

const HANDSHAKE_SECONDS = 10

const refusalReasons = { bad_parameter: 'bad_parameter', client_id_in_use: 'client_id_in_use' } as const

/** Opens the door; a `StartError` where it cannot. */
export function openTelemetryDoor(options: TelemetryDoorOptions, deps: TelemetryDoorDeps): TelemetryDoor {
  const { metrics, logger, frames, listeners, toListeners, receive, clock } = deps
  const sockets = new Set<ServerWebSocket<SocketData>>()

  const refuse = createRefuse(metrics, logger, { door: 'telemetry' })
  const upgrades = createUpgrades({
    door: 'the telemetry server of a WebSocket bus',
    peers: deps.peers,
    rate: options.connectionRate,
    most: { all: options.telemetryMaxConnections, perAddress: options.telemetryMaxConnectionsPerAddress },
    limits: { all: 'telemetry_connections', perAddress: 'telemetry_connections_per_address' },
    size: () => sockets.size,
    isDraining: deps.isDraining,
    now: clock.monotonic,
  })
  const fetch = (request: Request, server: Server<SocketData>): Maybe<Response | undefined> => {
    const peer = server.requestIP(request) ?? undefined
    const address = deps.peers.clientAddress(listener.addressOf(peer), request.headers)
    const tooMany = upgrades.refusalByRate(address)
    if (tooMany !== undefined) return refuse(tooMany, address)
    return deps.turns.take(() => {
      // A client that disconnected while its request waited is not counted as a bad request.
      if (request.signal.aborted) return undefined
      const refusal =
        upgrades.refusalOf(request, address) ?? upgrade(server, request, dataOf(request, address, peer), deps.versions)
      return refusal && refuse(refusal, address)
    })
  }
  const dataOf = ({ url, headers }: Request, address: string, peer: Peer | undefined): SocketData => ({
    handshake: saidBy(() => readListenerHandshake(new URL(url), headers, { ...options, versions: deps.versions })),
    address,
    peer,
    uncount: () => {},
    inbound: undefined,
  })

  const publish: PublishToTopic = (topic, text) => server.publish(topic, text) > 0

  /** Lets a listener in: it hears what its filter asks for from here on. */
  const admit = (socket: ServerWebSocket<SocketData>): void => {
    const { handshake } = socket.data
    if (handshake instanceof CodedError) throw new Refused(handshake, 'bad_parameter')
    deps.authenticate(handshake.token)
    const id = handshake.clientId ?? deps.newClientId()
    if (listeners.has(id) || deps.isTaken(id))
      throw new Refused(new CodedError('client_id_in_use', { client_id: id }), 'client_id_in_use')
    const now = clock.now()
    const listener: TelemetrySubscriber = {
      id,
      profile: { clientType: 'human', ...handshake.profile },
      echo: handshake.echo,
      connectedAt: now,
      topics: topicsOf(handshake.filter),
      lane: listeners.nextLane(),
      transport: createTransport({ socket, peer: socket.data.peer, metrics, publish }),
      lastHeard: clock.monotonic(),
      lag: undefined,
      isClosing: false,
    }
    toListeners.toListener(listener, frames.notice(welcomeOf(listener, handshake)))
    toListeners.listen(listener)
    socket.data.inbound = createSubscriberInbound(listener)
    const { address } = socket.data
    logger.info({ event: 'listener_connected', client_id: id, client_type: listener.profile.clientType, address })
  }
  const welcomeOf = (
    { id, profile, connectedAt }: TelemetrySubscriber,
    { filter }: ListenerArrival,
  ): TelemetryWelcome => {
    const { clientType, screenName, avatar, personality } = profile
    const { events, clientEvents } = filter
    const isAll = events === undefined && clientEvents === undefined
    const at = isoTime(connectedAt)
    const subscriptions = [TELEMETRY_CHANNEL, DASHBOARD_CHANNEL].map((channel) => `${TELEMETRY_ROOM}:${channel}`)
    return {
      event: 'welcome',
      client: {
        client_id: id,
        client_type: clientType,
        ...(screenName !== undefined && { screen_name: screenName }),
        ...(avatar !== undefined && { avatar }),
        ...(personality !== undefined && { personality }),
        state: 'connected',
        connected_at: at,
        last_activity: at,
        subscriptions,
      },
      ...deps.greeting(),
      subscriptions,
      events: isAll ? null : [...(events ?? [])],
      client_events: isAll ? null : [...(clientEvents ?? [])],
    }
  }

  const turnAway = (socket: ServerWebSocket<SocketData>, { error, close }: Refused) => {
    metrics.refuseConnection(refusalReasons[close as keyof typeof refusalReasons] ?? 'unauthenticated')
    const { address } = socket.data
    logger.info({ event: 'connection_refused', door: 'telemetry', code: error.code, address })
    socket.sendText(frames.error(null, undefined, error))
    end(socket, close)
  }
  const end = (socket: ServerWebSocket<SocketData>, name: CloseName) =>
    socket.close(closeCodes[name].code, closeCodes[name].reason)

  /** Whatever fails here is the end of one listener, and of nothing else. */
  const guard = (socket: ServerWebSocket<SocketData>, work: () => void) => {
    try {
      work()
    } catch (problem) {
      if (problem instanceof Refused) return turnAway(socket, problem)
      const stack = problem instanceof Error ? problem.stack : String(problem)
      logger.error({ event: 'telemetry_failed', stack })
      end(socket, 'internal')
    }
  }
  const heard = ({ data }: ServerWebSocket<SocketData>) => {
    if (data.inbound !== undefined) data.inbound.listener.lastHeard = clock.monotonic()
  }

  const serve = (hostname: string, port: number) =>
    Bun.serve<SocketData>({
      hostname,
      port,
      idleTimeout: HANDSHAKE_SECONDS,
      development: false,
      reusePort: false,
      maxRequestBodySize: 64 * 1024,
      fetch,
      error(problem) {
        logger.error({ event: 'upgrade_failed', door: 'telemetry', error: String(problem) })
        return new Response('internal error\n', { status: 500 })
      },
      websocket: {
        maxPayloadLength: options.maxMessageBytes * OVERSIZE,
        // The bound itself is watched by `to-listeners`; this is for what comes at once.
        backpressureLimit: 2 * options.telemetryBufferBytes + OVERSIZE * options.maxMessageBytes,
        closeOnBackpressureLimit: true,
        idleTimeout: runtimeIdleSeconds(options.pingIntervalMs),
        sendPings: false,
        perMessageDeflate: false,
        open(socket) {
          sockets.add(socket)
          socket.data.uncount = upgrades.add(socket.data.address)
          guard(socket, () => admit(socket))
        },
        message(socket, frame) {
          const { inbound } = socket.data
          if (inbound === undefined) return
          guard(socket, () => (typeof frame === 'string' ? receive.text(inbound, frame) : receive.binary(inbound)))
        },
        drain(socket) {
          if (socket.data.inbound !== undefined) toListeners.drained(socket.data.inbound.listener)
        },
        pong: heard,
        ping: heard,
        close(socket) {
          sockets.delete(socket)
          socket.data.uncount()
          const { inbound } = socket.data
          if (inbound === undefined) return
          receive.ended(inbound, () => {
            toListeners.gone(inbound.listener)
            logger.info({ event: 'listener_disconnected', client_id: inbound.listener.id })
          })
        },
      },
    })

  const { telemetryHost: host, telemetryPort: port } = options
  const listener = orStartError(() => deps.peers.listen({ host, port }, serve), options)
  const { server } = listener
  return {
    url: `ws://${host.includes(':') ? `[${host}]` : host}:${listener.port}/`,
    get connections() {
      return sockets.size
    },
    publish,
    close: () => listener.stop(true),
  }
}

function orStartError<T>(open: () => T, { telemetryHost: host, telemetryPort: port }: TelemetryDoorOptions): T {
  try {
    return open()
  } catch (cause) {
    const settings = { hostSetting: 'ARQONBUS_TELEMETRY_HOST', portSetting: 'ARQONBUS_TELEMETRY_PORT' }
    throw listenError(cause, { door: 'telemetry server', host, port, ...settings })
  }
}
