/** Time, passed in everywhere, so that a test can set it. */

/** Milliseconds since 1970. */
export type Clock = { now(): number }

/** The clock of the machine. */
export const systemClock: Clock = { now: () => Date.now() }

let cachedMs = Number.NaN
let cachedIso = ''
let cachedDecimal = ''

/** ISO 8601 with milliseconds and `Z`. The last answer is kept: a burst has one timestamp, and making one costs more than the rest of a stamp. */
export function isoTime(ms: number): string {
  if (ms !== cachedMs) cache(ms)
  return cachedIso
}

/** Milliseconds in decimal, kept likewise: for the first half of positions. */
export function decimalTime(ms: number): string {
  if (ms !== cachedMs) cache(ms)
  return cachedDecimal
}

function cache(ms: number): void {
  cachedMs = ms
  cachedIso = new Date(ms).toISOString()
  cachedDecimal = String(ms)
}
