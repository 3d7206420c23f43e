/** What the system lets this process have. */
import { closeSync, openSync, readFileSync } from 'node:fs'
import { constants, devNull, totalmem } from 'node:os'

/** Files that may be open, sockets among them; undefined where the system does not say. */
export function openFileLimit(): number | undefined {
  const [, limit] = /^Max open files\s+(\d+)/m.exec(ownFile('limits')) ?? []
  return limit === undefined ? undefined : Number(limit)
}

/** Descriptors kept free for what is no client: an eighth of the limit, within these bounds. */
const LEAST_SPARE = 16
const MOST_SPARE = 256

const limit = openFileLimit()
const spare = Math.min(MOST_SPARE, Math.max(LEAST_SPARE, Math.floor((limit ?? 0) / 8)))

/** How near this process is to its limit of open files, as it was at the start. */
export const openFiles = {
  /**
   * True where so few descriptors are left that no new connection may take one: the rest is for health probes, Redis
   * and the log. At the limit itself the runtime could not accept a connection even to refuse it, and would try again
   * without end.
   */
  isNearLimit: () => limit !== undefined && lowestFree() >= limit - spare,

  /**
   * How many descriptors are missing for a number of connections; undefined if none are, or if the system reports no
   * limit.
   */
  shortfall(connections: number) {
    const needed = connections + spare
    if (limit === undefined || limit >= needed) return undefined
    return { open_files: limit, needed }
  },
}

/**
 * The lowest descriptor that is not in use, which the system gives to the next file that is opened: all below it are
 * taken.
 */
function lowestFree(): number {
  try {
    const descriptor = openSync(devNull, 'r')
    closeSync(descriptor)
    return descriptor
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/**
 * True where this process was started to survive the end of its terminal, as `nohup` does it; false where the system
 * does not say.
 */
export function ignoresHangup(): boolean {
  const [, mask] = /^SigIgn:\s*([0-9a-f]+)/m.exec(ownFile('status')) ?? []
  return mask !== undefined && (Number.parseInt(mask.slice(-8), 16) & (1 << (constants.signals.SIGHUP - 1))) !== 0
}

/** Bytes of memory: those of the machine, or fewer where a container has fewer. */
export function memoryLimit(): number {
  const constrained = process.constrainedMemory()
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()
}

/** Bytes of memory that this process uses; 0 where the system does not say, as without a descriptor to ask it with. */
export function usedMemory(): number {
  try {
    return process.memoryUsage.rss()
  } catch {
    return 0
  }
}

/** What of this machine decides whether settings will do. */
export const thisMachine = { memoryBytes: memoryLimit(), openFileShortfall: openFiles.shortfall }

/** Linux reports about a process in files; other systems have none. */
function ownFile(name: string): string {
  try {
    return readFileSync(`/proc/self/${name}`, 'utf8')
  } catch {
    return ''
  }
}
