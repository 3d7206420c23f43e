/**
 * What the system knows of a TCP connection: how many bytes have come and gone. The runtime reports whole frames only,
 * and what it holds itself, but a frame may take minutes to arrive, and megabytes may wait in the system's own buffer.
 *
 * Linux says it by `getsockopt(TCP_INFO)`. That takes the number of the descriptor, which the runtime does not tell:
 * all descriptors are asked for their peers. It costs a few milliseconds, so it is for the few connections of which
 * nothing else is known. Other systems do not report it: `undefined`.
 */
import { systemClock } from '../kit/clock.ts'
import { groupsOf } from '../kit/ip-address.ts'
import { openLibc } from './libc.ts'

/** The other end of a connection. */
export type Peer = { readonly address: string; readonly port: number }

/** Bytes of a connection, as the system counts them. */
export type TcpBytes = {
  /** What has arrived. */
  readonly received: number
  /** What the peer's system has confirmed. */
  readonly confirmed: number
  /** What the system holds and has not sent, because the peer does not take it. */
  readonly unsent: number
}

/** What is known of the connection of a peer; undefined where nothing is. */
type TcpTable = (peer: Peer) => TcpBytes | undefined

/** <netinet/in.h>, <netinet/tcp.h> */
const IPPROTO_TCP = 6
const TCP_INFO = 11
/** `struct tcp_info`: 64-bit counters of bytes acknowledged and received, and 32 bits of what was not sent. */
const CONFIRMED_AT = 120
const RECEIVED_AT = 128
const UNSENT_AT = 144
const INFO_BYTES = 148

const AF_INET = 2

/**
 * Descriptors are numbered from 0, and a free number is the next to be used: after so many that are no sockets there
 * are no more.
 */
const MOST_UNUSED = 256

/** How long the numbers of descriptors are good for, where a peer is not among them. */
const FRESH_MS = 1000

type System = {
  /** The peer of a descriptor, as a key; undefined where it is no connection. */
  peerOf(descriptor: number): string | undefined
  bytesOf(descriptor: number): TcpBytes | undefined
}

/** Makes the table; `now` is running time. */
export function createTcpTable(now: () => number, system: System | undefined = openSystem()): TcpTable {
  if (system === undefined) return () => undefined
  let descriptors = new Map<string, number>()
  let readAt = Number.NEGATIVE_INFINITY

  const readAll = () => {
    descriptors = new Map()
    readAt = now()
    for (let descriptor = 0, unused = 0; unused < MOST_UNUSED; descriptor++) {
      const peer = system.peerOf(descriptor)
      if (peer === undefined) unused++
      else {
        unused = 0
        descriptors.set(peer, descriptor)
      }
    }
  }
  /** A number may be that of another connection by now. */
  const descriptorOf = (key: string): number | undefined => {
    const descriptor = descriptors.get(key)
    return descriptor !== undefined && system.peerOf(descriptor) === key ? descriptor : undefined
  }

  return (peer) => {
    const key = keyOf(peer)
    let descriptor = descriptorOf(key)
    if (descriptor === undefined && now() - readAt >= FRESH_MS) {
      readAll()
      descriptor = descriptorOf(key)
    }
    return descriptor === undefined ? undefined : system.bytesOf(descriptor)
  }
}

/** What the system knows now, loaded with the first question. */
export const tcpBytes: TcpTable = (peer) => {
  theTable ??= createTcpTable(systemClock.monotonic)
  return theTable(peer)
}
let theTable: TcpTable | undefined

/**
 * The 16 bytes of an address and its port: the same address may be written in more than one way. Version 4 is within
 * version 6.
 */
const keyOf = ({ address, port }: Peer): string =>
  `${address.includes(':') ? hexOf(address) : V4_WITHIN_V6 + Buffer.from(address.split('.').map(Number)).toString('hex')} ${port}`

const V4_WITHIN_V6 = '00000000000000000000ffff'

const hexOf = (address: string): string =>
  groupsOf(address)
    .map((group) => group.toString(16).padStart(4, '0'))
    .join('')

/** Linux. */
function openSystem(): System | undefined {
  const libc = openLibc()
  if (libc === undefined) return undefined
  const address = Buffer.alloc(128)
  const info = Buffer.alloc(256)
  const length = new Uint32Array(1)
  return {
    peerOf(descriptor) {
      length[0] = address.length
      if (libc.getpeername(descriptor, address, length) !== 0) return undefined
      return peerIn(address, length[0])
    },
    bytesOf(descriptor) {
      length[0] = info.length
      if (libc.getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, info, length) !== 0 || length[0] < INFO_BYTES)
        return undefined
      return {
        received: Number(info.readBigUInt64LE(RECEIVED_AT)),
        confirmed: Number(info.readBigUInt64LE(CONFIRMED_AT)),
        unsent: info.readUInt32LE(UNSENT_AT),
      }
    },
  }
}

/** `struct sockaddr_in` and `sockaddr_in6`. */
function peerIn(address: Buffer, length: number): string | undefined {
  if (length < 16) return undefined
  const port = address.readUInt16BE(2)
  if (address.readUInt16LE(0) === AF_INET) return `${V4_WITHIN_V6}${address.toString('hex', 4, 8)} ${port}`
  return length < 28 ? undefined : `${address.toString('hex', 8, 24)} ${port}`
}
