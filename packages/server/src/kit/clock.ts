/** Time, passed in everywhere, so that a test can set it. */

/** Milliseconds since 1970. */
export type Clock = { now(): number }

/** The clock of the machine. */
export const systemClock: Clock = { now: () => Date.now() }

let cachedMs = Number.NaN
let cachedIso = ''
let cachedUpToN = ''

/** ISO 8601 with milliseconds and `Z`. The last answer is kept: a burst has one timestamp, and making one costs more than the rest of a stamp. */
export function isoTime(ms: number): string {
  if (ms !== cachedMs) cache(ms)
  return cachedIso
}

/** The first half of a position with its dash, `<ms>-`, kept likewise. */
export function positionUpToN(ms: number): string {
  if (ms !== cachedMs) cache(ms)
  return cachedUpToN
}

function cache(ms: number): void {
  cachedMs = ms
  cachedIso = new Date(ms).toISOString()
  cachedUpToN = `${ms}-`
}
