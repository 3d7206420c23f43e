/**
 * Measures the nesting of arrays and objects in a text: a parsed copy hides values of repeated keys, and parsing deep
 * texts blocks the event loop.
 *
 * Most frames have fewer brackets than the allowed number of levels, which two searches show. Other frames are scanned
 * as bytes, which costs a third of scanning characters.
 */

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPENER = 0x5b
const CLOSER = 0x5d
/** `{` and `[` differ in this bit alone, as do `}` and `]`. */
const WITHOUT_CURL = 0xdf

/** True when arrays and objects are nested deeper than `max`. Brackets inside strings do not count. */
export function isDeeperThan(text: string, max: number): boolean {
  return countUpTo(text, '{', max) + countUpTo(text, '[', max) > max && isWalkDeeperThan(text, max)
}

/** Counts a character in a text from `start` on, up to `max` + 1. */
export function countUpTo(text: string, what: string, max: number, start = 0): number {
  let count = 0
  for (let at = text.indexOf(what, start); at >= 0 && count <= max; at = text.indexOf(what, at + 1)) count++
  return count
}

const CHUNK = 16 * 1024
/** A UTF-16 code unit takes at most three bytes. */
const bytes = new Uint8Array(3 * CHUNK)
const encoder = new TextEncoder()

/**
 * Scans the text in chunks, so the memory for it is bounded. A character that the end of a chunk splits is neither a
 * bracket nor a quote.
 */
function isWalkDeeperThan(text: string, max: number): boolean {
  let depth = 0
  let inString = false
  let at = 0
  for (let start = 0; start < text.length; start += CHUNK) {
    const end = encoder.encodeInto(text.slice(start, start + CHUNK), bytes).written
    while (at < end) {
      if (inString) {
        const quote = endOfString(at, end)
        inString = quote >= end
        at = inString ? quote : quote + 1
      }
      while (at < end) {
        const code = bytes[at++]!
        if (code === QUOTE) {
          inString = true
          break
        }
        if (code >= OPENER) {
          const bracket = code & WITHOUT_CURL
          if (bracket === OPENER) {
            if (++depth > max) return true
          } else if (bracket === CLOSER) depth--
        }
      }
    }
    // If a chunk ends between a backslash and the character that it escapes, the next chunk begins after that
    // character.
    at -= end
  }
  return false
}

/** A search has a fixed cost, and most keys are too short for it to pay off. */
const NEAR = 16

/** The index of the quote that ends the string; `end` or `end` + 1 if it does not end in this chunk. */
function endOfString(start: number, end: number): number {
  const near = start + NEAR
  let at = start
  while (at < end) {
    const code = bytes[at++]!
    if (code === QUOTE) return at - 1
    if (code === BACKSLASH) at++
    else if (at > near) at = nextQuote(at, end)
  }
  return at
}

/** The index of the next quote, or `end`; one more if the quote is escaped. */
function nextQuote(start: number, end: number): number {
  const found = bytes.indexOf(QUOTE, start)
  const quote = found < 0 || found > end ? end : found
  let run = quote
  while (run > start && bytes[run - 1] === BACKSLASH) run--
  return (quote - run) % 2 === 0 ? quote : quote + 1
}
