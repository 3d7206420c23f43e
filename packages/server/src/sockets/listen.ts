/**
 * WebSocket ports: upgrades, limits and bytes, the same for the bus and for the telemetry server. What frames mean is
 * decided by a handler, which gets six events of a connection: it is open, a frame arrived, its send buffer is full,
 * there is room in it again, it is alive, it has ended.
 */
import type { Server } from 'bun'
import { orListenError } from '../kit/start-error.ts'
import { SendBufferWatch } from '../limits/send-buffer-watch.ts'
import type { Listener, Serve } from '../peers/bind.ts'
import { createIsCompressed, perMessageDeflate } from './compression.ts'
import { Topics } from './port-topics.ts'
import { createSocketEvents } from './socket-events.ts'
import type { PortDeps, PortOptions, Socket, SocketData, SocketHandler, WebSocketPort } from './socket-handler.ts'
import type { Peer } from './tcp.ts'
import {
  createRefuse,
  createUpgrades,
  originIn,
  runtimeIdleSeconds,
  saidBy,
  type Upgrades,
  upgrade,
} from './upgrade.ts'

/** A message of up to four times the limit reaches the server and is refused with a reply. */
const OVERSIZE = 4

/** A connection that is no WebSocket by then is closed; the runtime knows no shorter time for half a head. */
const HANDSHAKE_SECONDS = 10

/** Creates a port that does not listen yet. */
export function createPort<Arrival, Connection>(
  options: PortOptions,
  deps: PortDeps,
): WebSocketPort<Arrival, Connection> {
  type Data = SocketData<Arrival, Connection>
  const sockets = new Set<Socket<Arrival, Connection>>()
  let listener: Listener<Server<Data>> | undefined
  let watch: SendBufferWatch<Socket<Arrival, Connection>> | undefined
  const isCompressed = createIsCompressed(options.compression)
  const topics = new Topics<Server<Data>>((text, copies) => watch!.late(text, copies), isCompressed)
  const upgrades = createUpgrades(options, deps, () => sockets.size)

  return {
    listen(handler) {
      const fetch = createFetch(handler, upgrades, options, deps)
      const events = createSocketEvents(handler, { sockets, upgrades, topics, isCompressed, options, deps })
      watch = new SendBufferWatch({
        clock: deps.clock,
        limits: handler.bufferLimits,
        connections: () => sockets,
        bytesOf: (socket) => socket.getBufferedAmount(),
        sent: () => deps.metrics.bytesOut,
        report: (bytes, full) =>
          handler.buffered(
            bytes,
            full.flatMap(({ data }) => data.connection ?? []),
          ),
      })
      const serve: Serve<Server<Data>> = (hostname, port, isShared) =>
        Bun.serve<Data>({
          hostname,
          port,
          idleTimeout: HANDSHAKE_SECONDS,
          development: false,
          reusePort: isShared,
          tls: options.tls?.(),
          maxRequestBodySize: 64 * 1024,
          fetch: (request, server) => {
            const peer = server.requestIP(request) ?? undefined
            return fetch(request, server, peer, listener!.addressOf(peer, server))
          },
          error(problem) {
            deps.logger.error({ event: 'upgrade_failed', ...options.names.log, error: String(problem) })
            return new Response('internal error\n', { status: 500 })
          },
          websocket: {
            maxPayloadLength: options.maxMessageBytes * OVERSIZE,
            backpressureLimit: options.sendBufferBytes,
            closeOnBackpressureLimit: true,
            idleTimeout: runtimeIdleSeconds(options.pingIntervalMs),
            sendPings: false,
            perMessageDeflate: perMessageDeflate(options.compression),
            ...events,
          },
        })
      listener = orListenError(() => deps.peers.listen(options, serve), { ...options, server: options.names.start })
      topics.begin(listener.server)
    },
    get url() {
      return listener && urlOf(options, listener.port)
    },
    get port() {
      return listener?.port ?? 0
    },
    get connections() {
      return sockets.size
    },
    publish: topics.publish,
    look: () => watch?.tick(),
    queueBytes() {
      let bytes = 0
      for (const socket of sockets) bytes += socket.getBufferedAmount()
      return bytes
    },
    renew() {
      if (listener === undefined) return
      const earlier = listener.server
      const { server, ended } = listener.renew()
      topics.begin(server)
      void ended.then(() => topics.end(earlier))
    },
    close: async () => {
      await listener?.stop(true)
    },
  }
}

/** Refuses or upgrades the requests that arrive at a port, each in its turn. */
function createFetch<Arrival, Connection>(
  handler: SocketHandler<Arrival, Connection>,
  upgrades: Upgrades,
  { names }: PortOptions,
  { metrics, logger, turns, versions }: PortDeps,
) {
  type Data = SocketData<Arrival, Connection>
  const refuse = createRefuse(metrics, logger, names.log)
  const dataOf = (request: Request, server: Server<Data>, address: string, peer: Peer | undefined): Data => ({
    arrival: upgrades.refusalOfPeer(request.headers) ?? saidBy(() => handler.read(request, address)),
    address,
    origin: originIn(request.headers),
    server,
    peer,
    uncount: () => {},
    connection: undefined,
    ending: undefined,
    early: undefined,
    first: undefined,
  })
  return (request: Request, server: Server<Data>, peer: Peer | undefined, ownAddress: string) => {
    const address = upgrades.addressOf(ownAddress, request.headers)
    const tooMany = upgrades.refusalByRate(address)
    if (tooMany !== undefined) return refuse(tooMany, address, request.headers)
    return turns.take(() => {
      // A client that disconnected while its request waited is not counted as a bad request.
      if (request.signal.aborted) return undefined
      const refusal =
        upgrades.refusalOf(request, address) ??
        upgrade(server, request, dataOf(request, server, address, peer), versions)
      return refusal && refuse(refusal, address, request.headers)
    })
  }
}

const urlOf = ({ host, tls }: PortOptions, port: number): string =>
  `${tls === undefined ? 'ws' : 'wss'}://${host.includes(':') ? `[${host}]` : host}:${port}/`
