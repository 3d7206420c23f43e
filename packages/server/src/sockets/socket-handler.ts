/** The contract of a WebSocket port: what it reports of its connections, and what it is opened with. */
import type { ProtocolVersions } from '@arqonbus/protocol'
import type { Server, ServerWebSocket } from 'bun'
import type { Refused } from '../connections/refused.ts'
import type { Frames } from '../delivery/frames.ts'
import type { Clock } from '../kit/clock.ts'
import type { FairQueue } from '../kit/fair-queue.ts'
import type { Maybe } from '../kit/maybe.ts'
import type { Rate } from '../limits/bucket.ts'
import type { BufferLimits } from '../limits/send-buffer-watch.ts'
import type { Logger } from '../observability/logger.ts'
import type { LimitName } from '../observability/metric-labels.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { TlsOptions } from '../peers/certificate.ts'
import type { Peers } from '../peers/peers.ts'
import type { Ending } from '../state/ending.ts'
import type { PublishToTopic, Transport } from '../state/transport.ts'
import type { Peer } from './tcp.ts'

/**
 * What is done with the connections of a port. `Arrival` is what an upgrade request says; `Connection` is what the
 * handler makes of an open one.
 */
export type SocketHandler<Arrival, Connection> = {
  /**
   * Reads an upgrade request; throws a `CodedError`, which the client gets after the upgrade, so that a browser can
   * read it.
   */
  read(request: Request, address: string): Arrival
  /**
   * What `open` gets in place of the arrival, perhaps later; frames that arrive meanwhile wait. It fails with `Refused`.
   * Where it asks for the first frame, that is its own, and it fails where the connection ends before one comes.
   */
  prepare?(arrival: Arrival, firstFrame: () => Promise<string | Uint8Array>): Maybe<Arrival>
  /** A connection is open; throws `Refused` where it may not stay. */
  open(arrival: Arrival, transport: Transport): Connection
  message(connection: Connection, frame: string | Buffer): void
  /** There is room in its send buffer again. */
  writable(connection: Connection): void
  /** What its send buffers are watched for. */
  readonly bufferLimits: BufferLimits
  /**
   * The send buffers were looked at: so many bytes wait in all of them, and in that of each of these connections more
   * than the soft limit. What was published before that has gone to them.
   */
  buffered(bytes: number, full: readonly Connection[]): void
  /** A ping or a pong arrived. */
  alive(connection: Connection): void
  /** It has ended, for whatever reason. Called once for each that was opened. */
  close(connection: Connection, ending: Ending): void
}

/** What a port is opened with. */
export type PortOptions = {
  /**
   * What listens there: in messages to people, in refusals of other requests, and in lines of the log where it is not
   * the bus.
   */
  readonly names: { readonly start: string; readonly refusal: string; readonly log: { readonly server?: string } }
  readonly host: string
  readonly port: number
  /** The settings that say so. */
  readonly settings: {
    readonly host: string
    readonly port: string
    readonly all: string
    readonly perAddress: string
    readonly rate: string
  }
  /** Open connections of all, and of one address, each with the name of its limit. */
  readonly most: { readonly all: number; readonly perAddress: number }
  readonly limits: { readonly all: LimitName; readonly perAddress: LimitName }
  /** New connections of one address. */
  readonly connectionRate: Rate | null
  /** A longer message is refused with a reply; one of more than four times this ends the connection (1009). */
  readonly maxMessageBytes: number
  /** A connection with more bytes in its send buffer is cut. */
  readonly sendBufferBytes: number
  readonly pingIntervalMs: number
  /** True where messages are compressed for clients that offer it. */
  readonly compression: boolean
  /** The certificate to listen with, asked for each time that the port is opened; without it there is no TLS. */
  readonly tls: (() => TlsOptions) | undefined
}

/** What a port needs. */
export type PortDeps = {
  readonly versions: ProtocolVersions
  readonly clock: Pick<Clock, 'monotonic'>
  readonly metrics: Metrics
  readonly logger: Logger
  readonly frames: Pick<Frames, 'error'>
  readonly turns: FairQueue
  readonly peers: Peers
  /** Milliseconds for which an address is refused because of failed authentications; undefined where it is not. */
  readonly authWaitMs: (address: string) => number | undefined
  /** True while no new connection is admitted. */
  readonly isDraining: () => boolean
}

/** A port for WebSockets. It accepts no connections before `listen`. */
export type WebSocketPort<Arrival, Connection> = {
  /** Begins to listen; a `StartError` where that is not possible. */
  listen(handler: SocketHandler<Arrival, Connection>): void
  /** `ws://host:port/`, `wss:` with TLS; undefined before it listens. */
  readonly url: string | undefined
  /** The port number, also where a free one was asked for; 0 before it listens. */
  readonly port: number
  /** Open connections. */
  readonly connections: number
  readonly publish: PublishToTopic
  /** Looks at all send buffers. Called every second: what no publish shows is bounded too. */
  look(): void
  /** Bytes in all send buffers. */
  queueBytes(): number
  /** Takes new connections with the certificate that there is now; open ones stay as they are. */
  renew(): void
  /** Ends all connections at once, and stops listening. */
  close(): Promise<void>
}

/** Waits for the first frame of a connection. */
export type FirstFrame = {
  readonly take: (frame: string | Buffer) => void
  readonly fail: (problem: Error) => void
  readonly transport: Transport
}

/** What belongs to a socket: what its upgrade request said and, once it is open, what the handler made of it. */
export type SocketData<Arrival, Connection> = {
  /** Undefined once it is open: a token takes kilobytes. */
  arrival: Arrival | Refused | undefined
  readonly address: string
  /** The page that opens it, for the log; undefined for programs. */
  readonly origin: string | undefined
  /** The server that took it, one of those of its port. */
  readonly server: Server<SocketData<Arrival, Connection>>
  /** The other end of the connection itself, which may be a proxy. */
  readonly peer: Peer | undefined
  /** Counts the connection out. */
  uncount: () => void
  connection: Connection | undefined
  /** How it ends, once the server has closed it. */
  ending: Ending | undefined
  /** Frames that arrive before it is open. */
  early: (string | Buffer)[] | undefined
  /** Takes the first frame, where that decides whether it opens. */
  first: FirstFrame | undefined
}
/** A socket of the runtime. */
export type Socket<Arrival, Connection> = ServerWebSocket<SocketData<Arrival, Connection>>
