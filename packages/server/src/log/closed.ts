/** The ends of logs in memory that were closed: one that is opened again goes on there, and one that was deleted is distinguished from the next of its name. */
import type { Position } from '@arqonbus/protocol'

/** A log that is closed. */
export type ClosedLog =
  /** It was let go: the next of its name is the same log, of which nothing is kept. */
  | {
      readonly isDeleted: false
      readonly origin: Position
      readonly given: Position
      readonly former: Position | undefined
    }
  /** It was deleted: the next of its name is another log. */
  | { readonly isDeleted: true; readonly given: Position }

/** The closed logs by key. */
export type ClosedLogs = {
  readonly size: number
  get(key: string): ClosedLog | undefined
  /** Takes it out: it is opened again. */
  take(key: string): ClosedLog | undefined
  add(key: string, log: ClosedLog): void
}

/** None; at most `most` are remembered, those that were closed first are forgotten. */
export function createClosedLogs(most: number): ClosedLogs {
  const logs = new Map<string, ClosedLog>()
  return {
    get size() {
      return logs.size
    },
    get: (key) => logs.get(key),
    take(key) {
      const log = logs.get(key)
      logs.delete(key)
      return log
    },
    add(key, log) {
      logs.delete(key)
      logs.set(key, log)
      if (logs.size > most) logs.delete(logs.keys().next().value!)
    },
  }
}
