/**
 * The ends of logs in memory that were closed: one that is opened again goes on there, and one that was deleted is
 * distinguished from the next of its name.
 */
import type { Position } from '@arqonbus/protocol'

/** A log that is closed. */
export type ClosedLog =
  /** It was closed: the next log of its key continues it, without its messages. */
  | {
      readonly isDeleted: false
      readonly origin: Position
      readonly given: Position
      readonly former: Position | undefined
    }
  /** It was deleted: the next log of its key is another one. */
  | { readonly isDeleted: true; readonly given: Position }

/** The closed logs by key. */
export type ClosedLogs = ReturnType<typeof createClosedLogs>

/** Creates the empty list; at most `most` logs are remembered, and the one that was closed first is forgotten first. */
export function createClosedLogs(most: number) {
  const logs = new Map<string, ClosedLog>()
  return {
    get: (key: string): ClosedLog | undefined => logs.get(key),
    /** Takes it out: it is opened again. */
    take(key: string): ClosedLog | undefined {
      const log = logs.get(key)
      logs.delete(key)
      return log
    },
    add(key: string, log: ClosedLog): void {
      logs.delete(key)
      logs.set(key, log)
      if (logs.size > most) logs.delete(logs.keys().next().value!)
    },
  }
}
