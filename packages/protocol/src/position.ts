/**
 * Positions in a log (protocol §5): `<ms>-<n>`. `ms` never falls, `n` counts 1, 2, 3 … without a hole from the log's birth, `<birth ms>-0`.
 */
export type Position = { readonly ms: number; readonly n: number }

/** A position as text. */
export const positionPattern = '(?:0|[1-9][0-9]{0,15})-(?:0|[1-9][0-9]{0,15})'

const position = new RegExp(`^(${positionPattern})$`)

/** Reads `<ms>-<n>`; undefined unless it is a position with safe integers. */
export function parsePosition(text: string): Position | undefined {
  if (!position.test(text)) return undefined
  const dash = text.indexOf('-')
  const ms = Number(text.slice(0, dash))
  const n = Number(text.slice(dash + 1))
  return Number.isSafeInteger(ms) && Number.isSafeInteger(n) ? { ms, n } : undefined
}

/** Writes a position. */
export const positionText = (at: Position): string => `${at.ms}-${at.n}`
