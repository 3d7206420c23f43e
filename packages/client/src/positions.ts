import { type Address, addressText } from '@arqonbus/protocol/names'
import { parsePosition, positionText } from '@arqonbus/protocol/position'
import type { Gap, Message } from './events.ts'

/** The log of private messages to this client, written as an address (docs/protocol.md#private-messages). */
export const INBOX = 'arqonbus:inbox'

/** The last message of a log that the application received. */
export type Reached = { readonly position: string; readonly id: string | undefined }

/** The messages of each log that the application received, so that none is delivered twice and each gap is reported. */
export type Positions = {
  /** Records a delivered message; false if the application received it before. */
  take(log: string, message: Message): boolean
  /** Records the position of an own message that is not delivered (`echo: false`). */
  own(log: string, position: string, id: string): void
  /** Sets the position of a log: the message after it is the next one. */
  start(log: string, position: string, id?: string): void
  /** The same, and messages after it are new again, because the application asked for them. */
  replay(log: string, position: string, id?: string): void
  /** A snapshot follows that ends at this position: its messages are new, and their numbers jump. */
  beginSnapshot(log: string, head: string): void
  /** The snapshot of a log has been delivered: the next message follows its head. */
  endSnapshot(log: string): void
  forget(log: string): void
  /** Undefined also while a snapshot is delivered: it has to be asked for again. */
  of(log: string): Reached | undefined
  /** All logs whose address begins with `prefix`. */
  within(prefix: string): [log: string, reached: Reached][]
}

type Place = { ms: number; n: number; position: string; id: string | undefined }

type Log = Place & {
  /** Counts the replays of all logs: a message that was received in an earlier era is new in this one. */
  era: number
  /**
   * Own messages beyond `n`, by their number. A connection that catches up gets its acknowledgements at once, ahead of
   * earlier messages, so they do not indicate a gap.
   */
  ahead: Map<number, Place> | undefined
  /** Where the snapshot ends that is delivered now. */
  snapshotHead: Place | undefined
}

/** The address of the log that has a delivered message. */
export function logOf(message: Address & { type: string }): string {
  return message.type === 'private' ? INBOX : addressText(message)
}

/**
 * Creates the positions of a client. In a log that `mayJump`, missing numbers are no gap, because its subscription has a
 * delivery policy. Up to `capacity` messages are remembered by sender and id, over all logs, and
 * always the last half of them.
 */
export function createPositions(
  capacity: number,
  onGap: (gap: Gap) => void,
  mayJump: (log: string) => boolean = () => false,
): Positions {
  const logs = new Map<string, Log>()
  /**
   * Two alternating sets: a set that loses its oldest entry with each new one is slow, because it walks over the
   * removed entries.
   */
  let recent = new Set<string>()
  let older = new Set<string>()
  let eras = 0

  /**
   * A provisional copy and its message count as one, and so do two messages of one sender with one id
   * (docs/protocol.md#while-the-log-is-unavailable).
   */
  function isNews(log: string, message: Message): boolean {
    const key = `${logs.get(log)?.era ?? 0} ${log} ${message.from} ${message.id}`
    if (recent.has(key) || older.has(key)) return false
    recent.add(key)
    if (recent.size * 2 >= capacity) {
      older = recent
      recent = new Set()
    }
    return true
  }

  /** False if the application has this position already. */
  function advance(name: string, at: Place): boolean {
    const log = logs.get(name)
    if (log === undefined) {
      logs.set(name, { ...at, era: 0, ahead: undefined, snapshotHead: undefined })
    } else if (at.n > log.n) {
      const isExpected = log.snapshotHead !== undefined || isNext(log, at.n) || mayJump(name)
      if (!isExpected) onGap({ address: name, reason: 'lost', after: log.position, next: baseOf(at) })
      moveTo(log, at)
    } else if (at.ms > log.ms) {
      // Within one log `ms` never falls as `n` rises: this is another log under the same name, and all of its messages
      // are new.
      onGap({ address: name, reason: 'reset', after: log.position, next: baseOf(at) })
      logs.set(name, { ...at, era: ++eras, ahead: undefined, snapshotHead: undefined })
    } else {
      return false
    }
    return true
  }

  function start(name: string, position: string, id: string | undefined, era: number): void {
    const at = placeOf(position, id)
    if (at !== undefined) logs.set(name, { ...at, era, ahead: undefined, snapshotHead: undefined })
  }

  return {
    take(name, message) {
      const position = message.metadata?.position
      const at = position === undefined ? undefined : placeOf(position, message.id)
      if (at !== undefined && !advance(name, at)) return false
      return isNews(name, message)
    },
    own(name, position, id) {
      const at = placeOf(position, id)
      const log = logs.get(name)
      // A channel that this client only publishes to has no position.
      if (at === undefined || log === undefined) return
      if (at.n <= log.n + 1) {
        advance(name, at)
      } else {
        log.ahead ??= new Map()
        if (log.ahead.size < capacity) log.ahead.set(at.n, at)
      }
    },
    start: (name, position, id) => start(name, position, id, logs.get(name)?.era ?? 0),
    replay: (name, position, id) => start(name, position, id, ++eras),
    beginSnapshot(name, head) {
      const snapshotHead = placeOf(head, undefined)
      if (snapshotHead === undefined) return
      const before = { ms: 0, n: 0, position: head, id: undefined }
      logs.set(name, { ...before, era: ++eras, ahead: undefined, snapshotHead })
    },
    endSnapshot(name) {
      const log = logs.get(name)
      const head = log?.snapshotHead
      if (log === undefined || head === undefined) return
      log.snapshotHead = undefined
      // The newest message of the log is in the snapshot, with its id.
      if (head.n > log.n) Object.assign(log, head)
    },
    forget: (name) => void logs.delete(name),
    of: (name) => (logs.get(name)?.snapshotHead === undefined ? logs.get(name) : undefined),
    within: (prefix) => [...logs].filter(([name]) => name.startsWith(prefix)),
  }
}

/** Whether only own messages are between the position of a log and `n`. */
function isNext(log: Log, n: number): boolean {
  for (let between = log.n + 1; between < n; between++) if (log.ahead?.has(between) !== true) return false
  return true
}

/**
 * The base of a message that is the first one after a gap: numbers count on from there, although no message has that
 * position.
 */
const baseOf = ({ ms, n }: Place): string => positionText({ ms, n: n - 1 })

/** Advances a log, and over the own messages that follow. */
function moveTo(log: Log, to: Place): void {
  for (let at: Place | undefined = to; at !== undefined; at = log.ahead?.get(log.n + 1)) {
    log.ahead?.delete(at.n)
    Object.assign(log, at)
  }
  if (log.ahead === undefined) return
  for (const n of log.ahead.keys()) if (n <= log.n) log.ahead.delete(n)
}

function placeOf(position: string, id: string | undefined): Place | undefined {
  const at = parsePosition(position)
  return at === undefined ? undefined : { ms: at.ms, n: at.n, position, id }
}
