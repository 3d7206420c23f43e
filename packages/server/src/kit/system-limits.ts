/** What the system lets this process have. */
import { readFileSync } from 'node:fs'
import { totalmem } from 'node:os'

/** Files that may be open, sockets among them; undefined where the system does not say. */
export function openFileLimit(): number | undefined {
  const [, limit] = /^Max open files\s+(\d+)/m.exec(ownLimits()) ?? []
  return limit === undefined ? undefined : Number(limit)
}

/** Bytes of memory: those of the machine, or fewer where a container has fewer. */
export function memoryLimit(): number {
  const constrained = process.constrainedMemory()
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()
}

/** Linux tells it in a file; others have none. */
function ownLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8')
  } catch {
    return ''
  }
}
