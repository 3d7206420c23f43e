/**
 * Replaces a server that listens by another one on the same port, because the runtime cannot change the certificate of
 * a server (`reload` ignores it).
 *
 * Where the earlier server just stops, the system resets connections that it has accepted and the server has not, and
 * whose handshake is under way: under load some five for each change. On Linux both servers listen for a while, and a
 * filter of one instruction gives every new connection to the new one, so that none is lost. From then on another
 * program of the same user can listen on the port too, where it asks to share it; a second server of ours does not.
 */
import { ptr } from 'bun:ffi'
import { after } from '../kit/timer.ts'
import type { Listening, Successor, TakeOver } from '../peers/bind.ts'
import { type Libc, openLibc } from './libc.ts'
import { listeningSockets, SOL_SOCKET } from './listening.ts'

/** Numbers of Linux (asm-generic/socket.h). */
const SO_REUSEPORT = 15
const SO_ATTACH_REUSEPORT_CBPF = 51

/** How long connections that the earlier server has begun to take have for their handshake. */
const OVERLAP_MS = 2000

/** Replaces a server; throws what starting the new one throws, and on Linux the earlier one goes on then. */
export const takeOver: TakeOver = (earlier, port, serve) => {
  const libc = openLibc()
  const before = libc === undefined ? [] : socketsAt(libc, port)
  if (libc === undefined || before.length === 0) {
    const ended = earlier.stop(false)
    return { server: serve(false), ended }
  }
  for (const { descriptor } of before) share(libc, descriptor)
  const server = serve(true)
  const own = socketsAt(libc, port).find((one) => before.every(({ descriptor }) => descriptor !== one.descriptor))
  if (own !== undefined) {
    const number = before.filter(({ address }) => address === own.address).length
    sendConnectionsTo(libc, own.descriptor, number)
  }
  return { server, ended: stopLater(earlier) }
}

/** Stops a server that another one has replaced, when the connections that it is taking are through. */
export function stopLater(earlier: Listening): Successor<Listening>['ended'] {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  after(OVERLAP_MS, () => void earlier.stop(false).then(resolve, reject))
  return promise
}

const socketsAt = (libc: Libc, port: number) => listeningSockets(libc).filter((one) => one.port === port)

const share = (libc: Libc, descriptor: number) =>
  libc.setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, new Int32Array([1]), Int32Array.BYTES_PER_ELEMENT)

/** The instruction that returns a number, `BPF_RET | BPF_K`. */
const RETURN = 0x06
/** `struct sock_fprog`: how many instructions, and where they are. */
const PROGRAM_BYTES = 16

/**
 * Gives all new connections of a shared port to the socket of that number: they are numbered in the order in which they
 * began to listen. When the others are closed the number is that of no socket, and the system chooses among those left.
 */
function sendConnectionsTo(libc: Libc, descriptor: number, number: number): void {
  // `struct sock_filter`: a code of 16 bits, two jumps of 8 bits, a number of 32 bits.
  const filter = new Uint32Array([RETURN, number])
  const program = new BigUint64Array([1n, BigInt(ptr(filter))])
  libc.setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, program, PROGRAM_BYTES)
}
