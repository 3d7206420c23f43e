/**
 * A relay in front of a server, for proxies that speak the PROXY protocol: the runtime cannot read its preamble. The
 * relay reads it, connects to the server on the loopback interface, and passes on bytes in both directions; by the
 * local port of its connection the server learns whose it is.
 */
import type { Socket, TCPSocketListener } from 'bun'
import { plainAddress } from '../kit/ip-address.ts'
import { readPreamble } from './preamble.ts'

/** What a relay is opened with. */
type RelayOptions = {
  readonly host: string
  readonly port: number
  /** Where the server listens, on `LOOPBACK`. Asked for each connection: another server may take its place. */
  readonly serverPort: () => number
  /** True for the address of a proxy: the preamble of anybody else is a lie. */
  readonly isTrusted: (address: string) => boolean
  /** Called for connections that are ended because of their preamble. */
  readonly refused: (reason: PreambleFault, address: string) => void
  /** A preamble that is not whole by then ends the connection; 5 seconds unless said. */
  readonly preambleMs?: number
}

/** Why a connection is ended before it begins. */
export type PreambleFault = 'untrusted' | 'malformed' | 'timeout'

/** An open relay. */
export type Relay = {
  readonly port: number
  /** The client behind a connection to the server on that port, by the connection's port on this side. */
  addressOf(serverPort: number, localPort: number): string | undefined
  /** Takes no more connections. */
  stop(): void
  /** Ends all of them. */
  close(): void
}

/** Where the server behind a relay listens. */
export const LOOPBACK = '127.0.0.1'

const PREAMBLE_MS = 5000

/** Opens a relay; throws what the runtime throws where it cannot listen. */
export function openRelay(options: RelayOptions): Relay {
  const { host, port, serverPort, isTrusted, refused, preambleMs = PREAMBLE_MS } = options
  const addresses = new Map<string, string>()
  const open = new Set<Incoming>()

  const refuse = (incoming: Incoming, reason: PreambleFault) => {
    refused(reason, incoming.proxy)
    incoming.side.socket.terminate()
  }

  const connect = async (incoming: Incoming, client: string) => {
    const { side } = incoming
    side.socket.pause()
    const port = serverPort()
    try {
      await Bun.connect<Side>({
        hostname: LOOPBACK,
        port,
        allowHalfOpen: true,
        socket: {
          ...passing,
          open(socket) {
            const other: Side = { socket, peer: side, waiting: undefined, isEnding: false }
            socket.data = other
            if (!open.has(incoming)) return void socket.terminate()
            incoming.key = keyOf(port, socket.localPort)
            addresses.set(incoming.key, client)
            side.peer = other
            pass(side, incoming.head)
            incoming.head = EMPTY
            if (other.waiting === undefined) side.socket.resume()
          },
        },
      })
    } catch {
      side.socket.terminate()
    }
  }

  const listener: TCPSocketListener<Incoming> = Bun.listen<Incoming>({
    hostname: host,
    port,
    allowHalfOpen: true,
    socket: {
      open(socket) {
        const proxy = plainAddress(socket.remoteAddress) ?? ''
        const side: Side = { socket, peer: undefined, waiting: undefined, isEnding: false }
        const incoming: Incoming = { side, proxy, head: EMPTY, timer: undefined, key: undefined }
        socket.data = incoming
        if (!isTrusted(proxy)) return refuse(incoming, 'untrusted')
        open.add(incoming)
        incoming.timer = setTimeout(() => refuse(incoming, 'timeout'), preambleMs)
      },
      data({ data: incoming }, bytes) {
        if (incoming.side.peer !== undefined) return pass(incoming.side, bytes)
        incoming.head = Buffer.concat([incoming.head, bytes])
        if (incoming.timer === undefined) return
        const preamble = readPreamble(incoming.head)
        if (preamble === 'incomplete') return
        clearTimeout(incoming.timer)
        incoming.timer = undefined
        if (preamble === 'malformed') return refuse(incoming, 'malformed')
        incoming.head = incoming.head.subarray(preamble.length)
        void connect(incoming, preamble.address ?? incoming.proxy)
      },
      drain: ({ data: { side } }) => drained(side),
      end({ data: { side } }) {
        if (side.peer === undefined) side.socket.terminate()
        else end(side.peer)
      },
      close({ data: incoming }) {
        open.delete(incoming)
        clearTimeout(incoming.timer)
        if (incoming.key !== undefined) addresses.delete(incoming.key)
        incoming.side.peer?.socket.terminate()
      },
      error: ({ data: { side } }) => side.socket.terminate(),
    },
  })
  return {
    port: listener.port,
    addressOf: (port, localPort) => addresses.get(keyOf(port, localPort)),
    stop: () => listener.stop(),
    close() {
      listener.stop(true)
      for (const { side } of open) side.socket.terminate()
    },
  }
}

/** One side of a relayed connection. */
type Side = {
  readonly socket: Socket<unknown>
  /** The side that its bytes go to. */
  peer: Side | undefined
  /** Bytes that the socket has not taken yet; while there are any, the other side is not read. */
  waiting: Buffer | undefined
  /** True where nothing comes after what is waiting. */
  isEnding: boolean
}

/** A connection of a proxy. */
type Incoming = {
  readonly side: Side
  readonly proxy: string
  /** What came before there was a connection to the server. */
  head: Buffer
  timer: ReturnType<typeof setTimeout> | undefined
  /** What its address is found by. */
  key: string | undefined
}

/** Connections to two servers may have the same port on this side. */
const keyOf = (serverPort: number, localPort: number): string => `${serverPort} ${localPort}`

const EMPTY = Buffer.alloc(0)

/** Gives bytes of a side to the other one, and stops reading until they have been taken. */
function pass({ socket, peer }: Side, bytes: Buffer): void {
  if (peer === undefined) return
  if (peer.waiting !== undefined) {
    peer.waiting = Buffer.concat([peer.waiting, bytes])
    return
  }
  const taken = Math.max(0, peer.socket.write(bytes))
  if (taken >= bytes.length) return
  peer.waiting = Buffer.from(bytes.subarray(taken))
  socket.pause()
}

/** A side has room again. */
function drained(side: Side): void {
  if (side.waiting !== undefined) {
    const taken = Math.max(0, side.socket.write(side.waiting))
    side.waiting = taken < side.waiting.length ? side.waiting.subarray(taken) : undefined
  }
  if (side.waiting !== undefined) return
  if (side.isEnding) side.socket.shutdown()
  else side.peer?.socket.resume()
}

/** Nothing more comes for a side. */
function end(side: Side): void {
  side.isEnding = true
  if (side.waiting === undefined) side.socket.shutdown()
}

/** What the connection to the server does. */
const passing = {
  data: ({ data: side }: Socket<Side>, bytes: Buffer) => pass(side, bytes),
  drain: ({ data: side }: Socket<Side>) => drained(side),
  end({ data: side }: Socket<Side>) {
    if (side.peer !== undefined) end(side.peer)
  },
  close({ data: side }: Socket<Side>) {
    // What the server said last is still on its way.
    const { peer } = side
    if (peer === undefined) return
    peer.isEnding = true
    if (peer.waiting === undefined) peer.socket.end()
  },
  error: ({ data: side }: Socket<Side>) => side.peer?.socket.terminate(),
}
