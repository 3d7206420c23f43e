/**
 * Bounds what the kernel keeps for a peer that does not read.
 *
 * Left to itself Linux lets the send buffer of a connection grow to 4 MB: 300 peers that have stopped to read took 1.2
 * GB, and the bus wrote every message to each of them until it was full. The runtime has no option for it, but a
 * connection takes its send buffer from the socket that it was accepted on, and that is one of our descriptors.
 */
import { readdirSync } from 'node:fs'
import { type Libc, openLibc } from './libc.ts'

/** Numbers of Linux (asm-generic/socket.h, the same on x86-64 and arm64). */
const SOL_SOCKET = 1
const SO_SNDBUF = 7
const SO_ACCEPTCONN = 30
const AF_INET = 2
const AF_INET6 = 10

/**
 * Sets the send buffer of all connections that these addresses accept from now on; the kernel doubles it, for what it
 * needs itself. Returns for how many sockets that was done: where it cannot be, as on other systems than Linux, the
 * kernel decides.
 */
export function limitKernelBuffers(urls: readonly (string | undefined)[], bytes: number): number {
  const ports = urls.flatMap((url) => (url === undefined ? [] : [Number(new URL(url).port)]))
  const libc = bytes === 0 ? undefined : openLibc()
  if (libc === undefined) return 0
  const size = new Int32Array([bytes])
  return openDescriptors()
    .filter((fd) => ports.includes(listeningPort(libc, fd) ?? Number.NaN))
    .filter((fd) => libc.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, size, size.byteLength) === 0).length
}

function openDescriptors(): number[] {
  try {
    return readdirSync('/proc/self/fd').map(Number)
  } catch {
    return []
  }
}

/** The port that a descriptor listens on, where it does. */
function listeningPort(libc: Libc, fd: number): number | undefined {
  const bytes = new Uint8Array(128)
  const address = new DataView(bytes.buffer)
  const length = new Uint32Array([bytes.byteLength])
  if (libc.getsockname(fd, bytes, length) !== 0) return undefined
  const family = address.getUint16(0, true)
  if (family !== AF_INET && family !== AF_INET6) return undefined
  const value = new Int32Array(1)
  const size = new Uint32Array([value.byteLength])
  const isListening = libc.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, value, size) === 0 && value[0] === 1
  return isListening ? address.getUint16(2) : undefined
}
