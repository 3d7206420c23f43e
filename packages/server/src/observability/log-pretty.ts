/**
 * The lines of a terminal: time, level, event, `name=value`. Rendered in this process: worker threads would not survive
 * `bun build --compile`.
 */
import { prettyFactory } from 'pino-pretty'
import { escapeUnsafe } from './log-text.ts'

/** Turns pino's JSON lines into lines for people. */
export function prettyLines({ colors }: { colors: boolean }): (line: string) => string {
  const pretty = prettyFactory({
    colorize: colors,
    translateTime: 'SYS:HH:MM:ss.l',
    customColors: 'message:reset',
    hideObject: true,
    messageFormat: ({ fields }, _, __, { colors: paint }) => {
      const { event, error, ...rest } = fields as Record<string, unknown>
      const pairs = Object.entries(error === undefined ? rest : { ...rest, error: summary(error) })
      const text = pairs.map(([name, value]) => ` ${paint.gray(`${shown(name)}=`)}${shown(value)}`)
      return `${paint.cyan(shown(event))}${text.join('')}${frames(error)}`
    },
  })
  return (line) => {
    // pino-pretty prints some fields (name, pid, caller) as they are: it is given time and level alone.
    const { level, time, ...fields } = JSON.parse(line)
    return pretty({ level, time, fields }) ?? ''
  }
}

const bare = /^[^\s"'=\\\p{C}]+$/u

/** A value as one would type it; quoted and escaped as soon as it is anything but one plain word. */
function shown(value: unknown): string {
  if (typeof value === 'string' && bare.test(value)) return value
  return escapeUnsafe(JSON.stringify(value) ?? 'undefined')
}

type Failure = { name: unknown; message: unknown; stack: string; cause?: unknown }

const isFailure = (value: unknown): value is Failure =>
  typeof value === 'object' && value !== null && 'stack' in value && typeof value.stack === 'string'

/** An error without its stack. */
function summary(error: unknown): unknown {
  if (!isFailure(error)) return error
  const cause = error.cause === undefined ? '' : ` (because of ${summary(error.cause)})`
  return `${error.name}: ${error.message}${cause}`
}

/** The frames of a stack, one a line and indented, so that no text in them passes for a line of the log. */
function frames(error: unknown): string {
  if (!isFailure(error)) return ''
  const lines = error.stack.split('\n').filter((line) => /^\s+at /.test(line))
  return lines.map((line) => `\n    ${escapeUnsafe(line.trim())}`).join('')
}
