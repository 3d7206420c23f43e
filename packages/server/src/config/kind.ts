/**
 * The kinds of values that settings have: how a text or a value of the file becomes one, and what to say where it does
 * not.
 */

/** What came of reading: a value, or none; `faults` where a value with parts can say which part is wrong. */
export type Reading<T> = { readonly value: T } | { readonly value?: never; readonly faults?: readonly string[] }

/** One kind of value. */
export type Kind<T> = {
  /** The name in help and reference, as in `--port <port>`. */
  readonly name: string
  /** What it accepts, as the end of "must be …". */
  readonly accepts: string
  /** Reads a text (environment, flag) or a value of the file. */
  read(raw: unknown): Reading<T>
  /** Writes a value as one would in the environment. */
  text(value: T): string
  /** Where the value is the path of a file, which must be readable: whether others may read it too. */
  readonly file?: 'open' | 'private'
}

/** A kind whose reader answers undefined where the value does not fit. Values are written by `String` unless said. */
export function kind<T>(
  name: string,
  accepts: string,
  read: (raw: unknown) => T | undefined,
  text: (value: T) => string = String,
): Kind<T> {
  return {
    name,
    accepts,
    read: (raw) => {
      const value = read(raw)
      return value === undefined ? {} : { value }
    },
    text,
  }
}

const MAX_SHOWN = 64

/** A value in a message: short, quoted, and unable to move a cursor. */
export function shown(raw: unknown): string {
  const text = printable(JSON.stringify(raw) ?? String(raw))
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`
}

/** A text without characters that move the cursor or end the line. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
