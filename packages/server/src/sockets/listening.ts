/** The sockets of this process that listen, by their descriptors: the runtime does not tell them. */
import { readdirSync } from 'node:fs'
import type { Libc } from './libc.ts'

/** Numbers of Linux (asm-generic/socket.h, the same on x86-64 and arm64). */
export const SOL_SOCKET = 1
const SO_ACCEPTCONN = 30
const AF_INET = 2
const AF_INET6 = 10

/** A socket that listens. */
export type ListeningSocket = {
  readonly descriptor: number
  readonly port: number
  /** Where it listens, port included: the bytes of the system. */
  readonly address: string
}

/** All of them. */
export const listeningSockets = (libc: Libc): ListeningSocket[] =>
  openDescriptors().flatMap((descriptor) => socketOf(libc, descriptor) ?? [])

function openDescriptors(): number[] {
  try {
    return readdirSync('/proc/self/fd').map(Number)
  } catch {
    return []
  }
}

/** The socket of a descriptor, where it listens. */
function socketOf(libc: Libc, descriptor: number): ListeningSocket | undefined {
  const bytes = new Uint8Array(128)
  const address = new DataView(bytes.buffer)
  const length = new Uint32Array([bytes.byteLength])
  if (libc.getsockname(descriptor, bytes, length) !== 0) return undefined
  const family = address.getUint16(0, true)
  if (family !== AF_INET && family !== AF_INET6) return undefined
  const value = new Int32Array(1)
  const size = new Uint32Array([value.byteLength])
  const isListening = libc.getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, value, size) === 0 && value[0] === 1
  return isListening ? { descriptor, port: address.getUint16(2), address: bytes.toHex() } : undefined
}
