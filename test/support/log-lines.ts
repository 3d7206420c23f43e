/** A logger for tests that keeps what is logged. */
import type { StartOptions } from '@arqonbus/server'

/** A line of the log with its level. */
export type LogLine = { readonly level: string; readonly event?: string; readonly [field: string]: unknown }

/** Creates a logger, and the list that its lines are added to. */
export function createLogLines(): { lines: LogLine[]; logger: NonNullable<StartOptions['logger']> } {
  const lines: LogLine[] = []
  const at = (level: string) => (line: object) => void lines.push({ ...line, level })
  return { lines, logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } }
}
