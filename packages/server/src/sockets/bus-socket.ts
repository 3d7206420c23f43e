/** The door of the bus: upgrades, and frames in and out. Bytes and nothing else: what they mean is decided behind it. */

import { type CloseName, CodedError, closeCodes, type ProtocolVersions } from '@arqonbus/protocol'
import type { Server, ServerWebSocket } from 'bun'
import { type Admission, type ConnectRequest, Refused } from '../connections/admit.ts'
import type { Frames } from '../delivery/frames.ts'
import type { Clock } from '../kit/clock.ts'
import type { FairQueue } from '../kit/fair-queue.ts'
import type { Maybe } from '../kit/maybe.ts'
import { listenError } from '../kit/start-error.ts'
import type { Rate } from '../limits/bucket.ts'
import type { Logger } from '../observability/logger.ts'
import type { RefusalReason } from '../observability/metric-labels.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Peers } from '../peers/peers.ts'
import { createInboundState, type InboundState, type Receive } from '../receive/receive.ts'
import { faultOf } from '../receive/to-error.ts'
import type { PublishToTopic, Transport } from '../state/transport.ts'
import { readHandshake } from './handshake.ts'
import { createTransport } from './socket-transport.ts'
import type { Peer } from './tcp.ts'
import { createRefuse, createUpgrades, runtimeIdleSeconds, saidBy, upgrade } from './upgrade.ts'

/** What the door goes by. */
export type BusDoorOptions = {
  readonly host: string
  readonly port: number
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
  readonly connectionRate: Rate | null
  readonly maxMessageBytes: number
  readonly pingIntervalMs: number
  readonly sendBufferHardLimit: number
  readonly tokenInQuery: boolean
}

/** What is behind the door. */
export type BusDoorDeps = {
  readonly versions: ProtocolVersions
  readonly clock: Clock
  readonly metrics: Metrics
  readonly logger: Logger
  readonly frames: Frames
  readonly admission: Admission
  readonly receive: Receive
  readonly turns: FairQueue
  readonly peers: Peers
  /** True while nobody new is let in. */
  readonly isDraining: () => boolean
}

/** An open door. */
export type BusDoor = {
  readonly url: string
  readonly port: number
  /** Open connections. */
  readonly connections: number
  readonly publish: PublishToTopic
  /** Bytes that wait in all send buffers. */
  queueBytes(): number
  /** Takes no more connections. */
  stopListening(): void
  /** Ends all connections at once, and the door. */
  close(): Promise<void>
}

/** What hangs on a socket: what its handshake said, and from its admission on what it sends. */
type SocketData = {
  readonly handshake: ConnectRequest | CodedError
  readonly address: string
  /** The other end of the connection itself, which may be a proxy. */
  readonly peer: Peer | undefined
  /** Says that it has ended. */
  uncount: () => void
  inbound: InboundState | undefined
  /** What it sends while its session is looked for. */
  early: (string | Buffer)[] | undefined
}

/** A frame of up to four times the limit reaches us and is refused with a reply; a longer one ends the connection (1009). */
const OVERSIZE = 4

/** A connection that is no WebSocket by then is closed; the runtime knows no shorter time for half a head. */
const HANDSHAKE_SECONDS = 10

/** Opens the door; a `StartError` where it cannot. */
export function openBusDoor(options: BusDoorOptions, deps: BusDoorDeps): BusDoor {
  const { metrics, logger, frames, admission, receive } = deps
  const sockets = new Set<ServerWebSocket<SocketData>>()

  const refuse = createRefuse(metrics, logger)
  const upgrades = createUpgrades({
    door: 'a WebSocket bus',
    peers: deps.peers,
    rate: options.connectionRate,
    most: { all: options.maxConnections, perAddress: options.maxConnectionsPerAddress },
    limits: { all: 'connections', perAddress: 'connections_per_address' },
    size: () => sockets.size,
    isDraining: deps.isDraining,
    now: deps.clock.monotonic,
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
    handshake: saidBy(() => ({
      ...readHandshake(new URL(url), headers, { ...options, versions: deps.versions }),
      address,
    })),
    address,
    peer,
    uncount: () => {},
    inbound: undefined,
    early: undefined,
  })

  const publish: PublishToTopic = (topic, text) => server.publish(topic, text) > 0

  const end = (socket: ServerWebSocket<SocketData>, name: 'internal' | 'restarting') => {
    metrics.closed(name)
    socket.close(closeCodes[name].code, closeCodes[name].reason)
  }

  const turnAway = (socket: ServerWebSocket<SocketData>, refused: Refused) => {
    const { code, reason } = closeCodes[refused.close]
    metrics.refuseConnection(refusalReasonOf(refused.close))
    logger.info({ event: 'connection_refused', code: refused.error.code, address: socket.data.address })
    socket.sendText(frames.error(null, undefined, refused.error))
    socket.close(code, reason)
  }

  const admit = (socket: ServerWebSocket<SocketData>, transport: Transport) => {
    const { handshake } = socket.data
    if (handshake instanceof CodedError) throw new Refused(handshake, 'bad_parameter')
    const { client, welcomed } = admission.admit(handshake, transport)
    const inbound = createInboundState(client)
    socket.data.inbound = inbound
    if (welcomed instanceof Promise) receive.hold(inbound, welcomed)
  }

  const letIn = (socket: ServerWebSocket<SocketData>, transport: Transport) => {
    try {
      admit(socket, transport)
    } catch (problem) {
      if (problem instanceof Refused) return turnAway(socket, problem)
      logger.error({
        event: 'admission_failed',
        stack: problem instanceof Error ? problem.stack : String(problem),
      })
      end(socket, 'internal')
    }
  }

  /** A client that brings a session that is not here waits until the store has been asked, and what it sends waits too: mostly with it. */
  const letInAfter = async (recalled: Promise<void>, socket: ServerWebSocket<SocketData>, transport: Transport) => {
    const early: (string | Buffer)[] = []
    socket.data.early = early
    transport.pause()
    const problem = await recalled.then(nothing, (failed: unknown) => failed)
    socket.data.early = undefined
    // It may have gone, and so may this server.
    if (!sockets.has(socket)) return
    if (deps.isDraining()) return end(socket, 'restarting')
    // A new session in place of one that is stored would make that one, and its inbox, unreachable.
    if (problem instanceof CodedError) return turnAway(socket, new Refused(problem, 'try_later'))
    letIn(socket, transport)
    transport.resume()
    for (const frame of early) take(socket, frame)
  }

  const take = (socket: ServerWebSocket<SocketData>, frame: string | Buffer) => {
    const { inbound } = socket.data
    if (inbound === undefined) return void socket.data.early?.push(frame)
    try {
      if (typeof frame === 'string') receive.text(inbound, frame)
      else receive.binary(inbound)
    } catch (problem) {
      faultOf(problem, logger, inbound.client)
      end(socket, 'internal')
    }
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
        logger.error({ event: 'upgrade_failed', error: String(problem) })
        return new Response('internal error\n', { status: 500 })
      },
      websocket: {
        maxPayloadLength: options.maxMessageBytes * OVERSIZE,
        backpressureLimit: options.sendBufferHardLimit,
        closeOnBackpressureLimit: true,
        idleTimeout: runtimeIdleSeconds(options.pingIntervalMs),
        sendPings: false,
        perMessageDeflate: false,
        open(socket) {
          sockets.add(socket)
          socket.data.uncount = upgrades.add(socket.data.address)
          const { handshake } = socket.data
          const transport = createTransport({ socket, peer: socket.data.peer, metrics, publish })
          const recalled = handshake instanceof CodedError ? undefined : admission.loadSession(handshake, 'connection')
          if (recalled === undefined) letIn(socket, transport)
          else void letInAfter(recalled, socket, transport)
        },
        message: take,
        drain(socket) {
          if (socket.data.inbound !== undefined) receive.drained(socket.data.inbound)
        },
        pong: (socket) => heard(socket),
        ping: (socket) => heard(socket),
        close(socket) {
          sockets.delete(socket)
          socket.data.uncount()
          const { inbound } = socket.data
          if (inbound !== undefined) receive.ended(inbound, () => admission.depart(inbound.client))
        },
      },
    })
  const heard = (socket: ServerWebSocket<SocketData>) => {
    if (socket.data.inbound !== undefined) socket.data.inbound.client.lastHeard = deps.clock.monotonic()
  }

  const listener = orStartError(() => deps.peers.listen(options, serve), options)
  const { server, port } = listener
  return {
    url: `ws://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}/`,
    port,
    get connections() {
      return sockets.size
    },
    publish,
    queueBytes() {
      let bytes = 0
      for (const socket of sockets) bytes += socket.getBufferedAmount()
      return bytes
    },
    stopListening: () => void listener.stop(),
    close: () => listener.stop(true),
  }
}

const nothing = () => undefined

const refusalReasonOf = (close: CloseName): RefusalReason => {
  if (close === 'try_later') return 'storage_unavailable'
  return close === 'bad_parameter' || close === 'client_id_in_use' ? close : 'unauthenticated'
}

function orStartError<T>(open: () => T, { host, port }: { host: string; port: number }): T {
  try {
    return open()
  } catch (cause) {
    throw listenError(cause, { door: 'bus', host, port, hostSetting: 'ARQONBUS_HOST', portSetting: 'ARQONBUS_PORT' })
  }
}
