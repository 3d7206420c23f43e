/**
 * Lines that a hostile client can cause by the thousand must not fill a disk: each event gets a budget for each second.
 */
import type { Logger, LogLine, WriteLine } from './logger.ts'

/** Lines that are always written: an audit has no gaps, and only the holders of the admin key can cause them. */
const ALWAYS: ReadonlySet<string> = new Set(['admin_command'])

/** Budget, clock and timer of a bounded logger. */
type BoundedLoggerOptions = {
  /** Lines of one event in one second. */
  perSecond?: number
  /** Milliseconds that never go back. */
  now?: () => number
  /** Runs a function later; the timer must not keep the process alive. */
  later?: (run: () => void, ms: number) => void
}

/**
 * A logger that writes at most `perSecond` lines a second for each event. When a second with more is over, one line of
 * the same level and event says how many were `suppressed`. Events are our own constants, so what it remembers is
 * bounded.
 */
export function boundedLogger(logger: Logger, options: BoundedLoggerOptions = {}): Logger {
  const { perSecond = 10, now = () => performance.now(), later = unrefTimeout } = options

  const bound = (write: WriteLine): WriteLine => {
    const seconds = new Map<string, { start: number; lines: number }>()
    return (line: LogLine) => {
      const { event } = line
      if (ALWAYS.has(event)) return write(line)
      const time = now()
      let second = seconds.get(event)
      if (second === undefined || time - second.start >= 1000) {
        second = { start: time, lines: 0 }
        seconds.set(event, second)
      }
      const current = second
      current.lines++
      if (current.lines <= perSecond) return write(line)
      if (current.lines > perSecond + 1) return
      later(() => write({ event, suppressed: current.lines - perSecond }), 1000 - (time - current.start))
    }
  }
  return { debug: bound(logger.debug), info: bound(logger.info), warn: bound(logger.warn), error: bound(logger.error) }
}

const unrefTimeout = (run: () => void, ms: number): void => {
  setTimeout(run, ms).unref()
}
