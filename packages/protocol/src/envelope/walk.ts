/**
 * Whether a text is JSON, without creating its value: creating an object with many keys takes a hundred times as long
 * as reading them, and most received texts are only passed on.
 *
 * Linear in the length of the text, and without recursion. Texts are scanned as bytes, which costs a third of scanning
 * characters.
 */
import type { Pieces } from '../pieces.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const MINUS = 0x2d
const DOT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const OPEN_LIST = 0x5b
const BACKSLASH = 0x5c
const CLOSE_LIST = 0x5d
const SMALL_E = 0x65
const SMALL_F = 0x66
const SMALL_N = 0x6e
const SMALL_T = 0x74
const SMALL_U = 0x75
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
/** Upper-case and lower-case letters differ in this bit. */
const LOWER = 0x20

/** Arrays and objects nested deeper than this are not read: the caller refuses them earlier. */
const DEEPEST = 1024

const encoder = new TextEncoder()
/** The number of bytes that one piece scans; a string is not divided. */
const PIECE = 16 * 1024

/** The state of an unfinished walk. */
type Walk = {
  readonly bytes: Uint8Array
  readonly end: number
  /** The closing bracket of each array and object that is open. */
  readonly closers: Uint8Array
  at: number
  depth: number
}

/** For walks that finish at once: allocating memory would cost more than a short walk. */
const shared = new Uint8Array(1024 * 1024)
const sharedClosers = new Uint8Array(DEEPEST)

/** True for a text that JSON.parse accepts, unless it is nested deeper than 1,024 levels. */
export function isJson(text: string): boolean {
  const bytes = 3 * text.length > shared.length ? encoder.encode(text) : shared
  const end = bytes === shared ? encoder.encodeInto(text, shared).written : bytes.length
  return goOn({ bytes, end, closers: sharedClosers, at: 0, depth: 0 }, end)!
}

/** `isJson` in pieces. */
export function* checkJson(text: string): Pieces<boolean> {
  const bytes = encoder.encode(text)
  const walk = { bytes, end: bytes.length, closers: new Uint8Array(DEEPEST), at: 0, depth: 0 }
  for (;;) {
    const outcome = goOn(walk, walk.at + PIECE)
    if (outcome !== undefined) return outcome
    yield
  }
}

/** Continues up to the first value that begins after `pause`; returns true or false once that is known. */
function goOn(walk: Walk, pause: number): boolean | undefined {
  const { bytes, end, closers } = walk
  let { at, depth } = walk
  for (;;) {
    // A value begins here.
    if (at > pause) {
      walk.at = at
      walk.depth = depth
      return undefined
    }
    at = skipSpace(bytes, at, end)
    const first = at < end ? bytes[at]! : 0
    if (first === OPEN_OBJECT || first === OPEN_LIST) {
      if (depth === DEEPEST) return false
      const closer = first === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_LIST
      at = skipSpace(bytes, at + 1, end)
      if (at >= end || bytes[at] !== closer) {
        closers[depth++] = closer
        if (closer === CLOSE_LIST) continue
        at = endOfKey(bytes, at, end)
        if (at < 0) return false
        continue
      }
      at++
    } else {
      at = first === QUOTE ? endOfString(bytes, at, end) : endOfScalar(bytes, at, end)
      if (at < 0) return false
    }
    // A value has ended; the values that contain it may end too.
    for (;;) {
      at = skipSpace(bytes, at, end)
      if (depth === 0) return at === end
      const next = at < end ? bytes[at]! : 0
      at++
      if (next === COMMA) break
      if (next !== closers[depth - 1]) return false
      depth--
    }
    if (closers[depth - 1] === CLOSE_OBJECT) {
      at = endOfKey(bytes, skipSpace(bytes, at, end), end)
      if (at < 0) return false
    }
  }
}

function skipSpace(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && isSpace(bytes[at]!)) at++
  return at
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09

/** The index after a key and its colon; -1 if there is none. */
function endOfKey(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end || bytes[start] !== QUOTE) return -1
  const key = endOfString(bytes, start, end)
  if (key < 0) return -1
  const colon = skipSpace(bytes, key, end)
  return colon < end && bytes[colon] === COLON ? colon + 1 : -1
}

function endOfString(bytes: Uint8Array, start: number, end: number): number {
  let at = start + 1
  while (at < end) {
    const code = bytes[at++]!
    if (code === QUOTE) return at
    if (code < 0x20) return -1
    if (code !== BACKSLASH) continue
    const escaped = at < end ? bytes[at++]! : 0
    if (escaped === SMALL_U) {
      for (const last = at + 4; at < last; at++) if (at >= end || !isHex(bytes[at]!)) return -1
    } else if (!isEscape(escaped)) return -1
  }
  return -1
}

const isHex = (code: number): boolean => isDigit(code) || ((code | LOWER) >= 0x61 && (code | LOWER) <= SMALL_F)

/** `" \ / b f n r t`. */
const isEscape = (code: number): boolean =>
  code === QUOTE ||
  code === BACKSLASH ||
  code === 0x2f ||
  code === 0x62 ||
  code === SMALL_F ||
  code === SMALL_N ||
  code === 0x72 ||
  code === SMALL_T

function endOfScalar(bytes: Uint8Array, start: number, end: number): number {
  const first = start < end ? bytes[start]! : 0
  if (first === SMALL_T) return endOfWord(bytes, start, end, TRUE)
  if (first === SMALL_F) return endOfWord(bytes, start, end, FALSE)
  if (first === SMALL_N) return endOfWord(bytes, start, end, NULL)
  return endOfNumber(bytes, start, end)
}

const [TRUE, FALSE, NULL] = ['true', 'false', 'null'].map((word) => encoder.encode(word)) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
]

function endOfWord(bytes: Uint8Array, start: number, end: number, word: Uint8Array): number {
  if (start + word.length > end) return -1
  for (let i = 0; i < word.length; i++) if (bytes[start + i] !== word[i]) return -1
  return start + word.length
}

function endOfNumber(bytes: Uint8Array, start: number, end: number): number {
  let at = bytes[start] === MINUS ? start + 1 : start
  if (at >= end) return -1
  // A number that begins with 0 has no further digit before the dot.
  at = bytes[at] === ZERO ? at + 1 : endOfDigits(bytes, at, end)
  if (at < 0) return -1
  if (at < end && bytes[at] === DOT) at = endOfDigits(bytes, at + 1, end)
  if (at < 0 || at >= end || (bytes[at]! | LOWER) !== SMALL_E) return at
  at++
  if (at < end && (bytes[at] === MINUS || bytes[at] === 0x2b)) at++
  return endOfDigits(bytes, at, end)
}

/** The index after one digit or more; -1 if there is none. */
function endOfDigits(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && isDigit(bytes[at]!)) at++
  return at > start ? at : -1
}

const isDigit = (code: number): boolean => code >= ZERO && code <= NINE
