/**
 * Bounds what the kernel keeps for a peer that does not read.
 *
 * Left to itself Linux lets the send buffer of a connection grow to 4 MB: 300 peers that have stopped to read took 1.2
 * GB, and the bus wrote every message to each of them until it was full. The runtime has no option for it, but a
 * connection takes its send buffer from the socket that it was accepted on, and that is one of our descriptors.
 */
import { openLibc } from './libc.ts'
import { listeningSockets, SOL_SOCKET } from './listening.ts'

/** A number of Linux (asm-generic/socket.h, the same on x86-64 and arm64). */
const SO_SNDBUF = 7

/**
 * Sets the send buffer of all connections that these ports accept from now on; the kernel doubles it, for what it needs
 * itself. Returns for how many sockets that was done: where it cannot be, as on other systems than Linux, the kernel
 * decides.
 */
export function limitKernelBuffers(ports: readonly number[], bytes: number): number {
  const libc = bytes === 0 ? undefined : openLibc()
  if (libc === undefined) return 0
  const size = new Int32Array([bytes])
  return listeningSockets(libc)
    .filter(({ port }) => ports.includes(port))
    .filter(({ descriptor }) => libc.setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, size, size.byteLength) === 0).length
}
