/** Calls of the C library for what the runtime does not offer: reading and setting options of a socket on Linux. */
import { dlopen } from 'bun:ffi'

const calls = {
  getpeername: { args: ['i32', 'ptr', 'ptr'], returns: 'i32' },
  getsockname: { args: ['i32', 'ptr', 'ptr'], returns: 'i32' },
  getsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'ptr'], returns: 'i32' },
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
} as const

/** The calls, named as in C. */
export type Libc = ReturnType<typeof dlopen<typeof calls>>['symbols']

/** Opens the library that is there; undefined on other systems than Linux. */
export function openLibc(): Libc | undefined {
  if (process.platform !== 'linux') return undefined
  for (const name of ['libc.so.6', `libc.musl-${process.arch === 'x64' ? 'x86_64' : 'aarch64'}.so.1`]) {
    try {
      return dlopen(name, calls).symbols
    } catch {
      // The next one.
    }
  }
  return undefined
}
