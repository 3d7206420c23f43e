/**
 * Positions in a log (docs/protocol.md#positions-and-gaps): `<ms>-<n>`. `ms` never falls, `n` counts 1, 2, 3 … without
 * a gap from the origin of the log, `<ms>-0`.
 */
export type Position = { readonly ms: number; readonly n: number }

/** A position as text. */
export const positionPattern = '(?:0|[1-9][0-9]{0,15})-(?:0|[1-9][0-9]{0,15})'

/** Parses `<ms>-<n>`; undefined unless it is a position with safe integers. */
export function parsePosition(text: string): Position | undefined {
  const dash = text.indexOf('-')
  const ms = decimalIn(text, 0, dash)
  const n = decimalIn(text, dash + 1, text.length)
  return ms === undefined || n === undefined ? undefined : { ms, n }
}

const ZERO = 0x30
const MOST_DIGITS = 16

/**
 * The decimal number between two indices. Read digit by digit, because every message that Redis stores returns as a
 * position: that creates no substrings.
 */
function decimalIn(text: string, start: number, end: number): number | undefined {
  const digits = end - start
  if (digits < 1 || digits > MOST_DIGITS || (digits > 1 && text.charCodeAt(start) === ZERO)) return undefined
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = text.charCodeAt(at) - ZERO
    if (!(digit >= 0 && digit <= 9)) return undefined
    value = 10 * value + digit
  }
  return Number.isSafeInteger(value) ? value : undefined
}

/** Writes a position. */
export const positionText = (at: Position): string => `${at.ms}-${at.n}`
