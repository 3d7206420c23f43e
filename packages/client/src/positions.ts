import { type Address, addressText } from '@arqonbus/protocol/names'
import { parsePosition, positionText } from '@arqonbus/protocol/position'
import type { Gap, Message } from './events.ts'

/** The log of private messages to this client, written as an address (protocol §4). */
export const INBOX = 'arqonbus:inbox'

/** The last message that the application has of a log. */
export type Reached = { readonly position: string; readonly id: string | undefined }

/** What was handed to the application of each log, so that nothing is handed over twice and a hole is told. */
export type Positions = {
  /** Notes a delivered message; false where the application has it already. */
  take(log: string, message: Message): boolean
  /** Notes the position of an own message of which no copy comes (`echo: false`). */
  own(log: string, position: string, id: string): void
  /** Takes a position as given: what follows it comes next. */
  start(log: string, position: string, id?: string): void
  /** The same, and what follows it is news again, because the application asked for it once more. */
  replay(log: string, position: string, id?: string): void
  forget(log: string): void
  of(log: string): Reached | undefined
  /** All logs that begin so. */
  within(prefix: string): [log: string, reached: Reached][]
}

type Place = { ms: number; n: number; position: string; id: string | undefined }

type Log = Place & {
  /** Counts the replays of all logs: a message that was seen in an earlier era is news in this one. */
  era: number
  /**
   * Own messages beyond `n`, by their number. A connection that is behind gets its acknowledgements at once, ahead of the messages
   * before them, so they are no sign of a hole.
   */
  ahead: Map<number, Place> | undefined
}

/** The log that a delivered message stands in. */
export function logOf(message: Address & { type: string }): string {
  return message.type === 'private' ? INBOX : addressText(message)
}

/** Makes the book. It remembers up to `capacity` messages by sender and id, over all logs, and the last half of them always. */
export function createPositions(capacity: number, onGap: (gap: Gap) => void): Positions {
  const logs = new Map<string, Log>()
  /** Two sets that take turns: a set that loses its oldest entry with each new one is slow, because it walks over the holes. */
  let recent = new Set<string>()
  let older = new Set<string>()
  let eras = 0

  /** A provisional copy and its message are one, and so are two messages of one sender under one id (protocol §5). */
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

  /** False where the application has this position already. */
  function advance(name: string, at: Place): boolean {
    const log = logs.get(name)
    if (log === undefined) {
      logs.set(name, { ...at, era: 0, ahead: undefined })
    } else if (at.n > log.n) {
      if (!isNext(log, at.n)) onGap({ address: name, reason: 'lost', after: log.position, next: baseOf(at) })
      moveTo(log, at)
    } else if (at.ms > log.ms) {
      // Within one log `ms` never falls as `n` rises: this is another log under the same name, and all of it is news.
      onGap({ address: name, reason: 'reset', after: log.position, next: baseOf(at) })
      logs.set(name, { ...at, era: ++eras, ahead: undefined })
    } else {
      return false
    }
    return true
  }

  function start(name: string, position: string, id: string | undefined, era: number): void {
    const at = placeOf(position, id)
    if (at !== undefined) logs.set(name, { ...at, era, ahead: undefined })
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
      // Of a channel that is only written to nothing is counted.
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
    forget: (name) => void logs.delete(name),
    of: (name) => logs.get(name),
    within: (prefix) => [...logs].filter(([name]) => name.startsWith(prefix)),
  }
}

/** Whether nothing but own messages stands between where a log is and `n`. */
function isNext(log: Log, n: number): boolean {
  for (let between = log.n + 1; between < n; between++) if (log.ahead?.has(between) !== true) return false
  return true
}

/** What a message follows where it is the first after a gap: nobody has that position itself, but numbers count on from there. */
const baseOf = ({ ms, n }: Place): string => positionText({ ms, n: n - 1 })

/** Moves a log on, and over the own messages that follow. */
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
