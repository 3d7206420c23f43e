/**
 * Random ids of traces and spans, drawn in bulk: a call for each id would cost more than all else that a span needs.
 */

/** Where ids come from: 32 random bits at a time. */
type Draw = () => number

const DRAWN_AT_ONCE = 1024

/** Creates the source of ids. */
export function createDraw(
  fill: (words: Uint32Array<ArrayBuffer>) => void = crypto.getRandomValues.bind(crypto),
): Draw {
  const words = new Uint32Array(DRAWN_AT_ONCE)
  let next = DRAWN_AT_ONCE
  return () => {
    if (next === DRAWN_AT_ONCE) {
      fill(words)
      next = 0
    }
    return words[next++]!
  }
}

const hex = (word: number): string => word.toString(16).padStart(8, '0')

/**
 * A trace id that ends with `last`, by which it was sampled. An id of zeros is invalid, so the first word is never 0.
 */
export const newTraceId = (draw: Draw, last: number): string => hex(draw() || 1) + hex(draw()) + hex(draw()) + hex(last)

/** A span id. */
export const newSpanId = (draw: Draw): string => hex(draw() || 1) + hex(draw())

/** The last 32 bits of a trace id. */
export const lastWordOf = (traceId: string): number => Number.parseInt(traceId.slice(-8), 16)
