import { dlopen, FFIType, ptr } from 'bun:ffi'
import { readFileSync } from 'node:fs'

/**
 * The resource use of another process, read from outside it, so that measuring costs that process nothing.
 * Linux only, as is the pinning.
 */

/**
 * User and system time of a process with all its threads, including ended ones, in nanoseconds.
 * The kernel's CPU clock of the process is read because `/proc/PID/stat` counts in 10 ms ticks, which is a third of a
 * per cent of a short window, and `schedstat` of the threads loses a thread as soon as it ends.
 */
export function cpuNanoseconds(pid: number): number {
  // The clock of another process is ~pid << 3 with CPUCLOCK_SCHED (2), see clock_getcpuclockid(3).
  if (libc.symbols.clock_gettime((~pid << 3) | 2, ptr(timespec)) !== 0)
    throw new Error(`there is no CPU clock for process ${pid}`)
  return Number(timespec[0]) * 1e9 + Number(timespec[1])
}

/** The resident memory of a process, in KiB. */
export function residentKib(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  if (line === null) throw new Error(`there is no VmRSS for process ${pid}`)
  return Number(line[1])
}

const libc = dlopen('libc.so.6', { clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 } })
const timespec = new BigInt64Array(2)
