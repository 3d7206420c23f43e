/**
 * Logs: one line an event. JSON for machines, one readable line for a person at a terminal; neither can be forged by
 * what clients send, and a reader of the logs that stops reading stops nothing else.
 */
import pino from 'pino'
import type { Config } from '../config/index.ts'
import { type LogOutput, openLogOutput } from './log-output.ts'
import { prettyLines } from './log-pretty.ts'
import { oneLine, withoutSecrets } from './log-text.ts'

/**
 * One line: `event` is a stable snake_case name from our own code, never a text from a client. Beside it go
 * `client_id`, `room`, `channel` and `code` where the event has them; never a payload, a token or a session.
 */
export type LogLine = { readonly event: string; readonly [field: string]: unknown; level?: never; time?: never }

/** Writes one line. */
export type WriteLine = (line: LogLine) => void

/** What the rest of the server knows of logs. */
export type Logger = {
  readonly debug: WriteLine
  readonly info: WriteLine
  readonly warn: WriteLine
  readonly error: WriteLine
}

/** The process's log. */
export type ProcessLog = {
  readonly logger: Logger
  /** The last line before the process ends because its state cannot be trusted. */
  fatal: WriteLine
  /** Writes text for a person, unless lines are JSON. */
  print(text: string): void
  /** Changes the least level of lines that are written. */
  setLevel(level: Config['logLevel']): void
  /** Waits until everything is written, but no longer than `timeoutMs`: a blocked pipe must not hold the exit. */
  flush(timeoutMs: number): Promise<void>
}

/** How to write logs. */
export type LogOptions = {
  level: Config['logLevel']
  /** `auto`: pretty on a terminal, else JSON. */
  format: Config['logFormat']
  /** True where lines go to a terminal. */
  terminal: boolean
  /** True where the terminal shows colours. */
  colors?: boolean
  /** Where lines are written; standard output by default. */
  output?: LogOutput
}

const nothing: WriteLine = () => {}

/** A logger that writes nothing, for tests. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing }

/** Opens the process's log. */
export function openLog({
  level,
  format,
  terminal,
  colors = false,
  output = openLogOutput({ fd: 1 }),
}: LogOptions): ProcessLog {
  const pretty = format === 'pretty' || (format === 'auto' && terminal)
  const render = pretty ? prettyLines({ colors: colors && terminal }) : oneLine
  const lines = pino(
    {
      level,
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (name) => ({ level: name }), log: withoutSecrets },
    },
    { write: (line: string) => output.write(render(line)) },
  )
  output.onRecovery((dropped) => lines.warn({ event: 'log_lines_dropped', lines: dropped }))
  return {
    logger: {
      debug: (line) => lines.debug(line),
      info: (line) => lines.info(line),
      warn: (line) => lines.warn(line),
      error: (line) => lines.error(line),
    },
    fatal: (line) => lines.fatal(line),
    print: (text) => {
      if (pretty) output.write(text)
    },
    setLevel(next) {
      lines.level = next
    },
    flush: output.flush,
  }
}
