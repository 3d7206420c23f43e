/**
 * Finds the place where a text stops being JSON: the messages of JSON.parse differ between versions, and the sender
 * needs the place.
 *
 * Linear in the length of the text, and without recursion. The pieces of a string are matched one by one: on long
 * strings a single regular expression with a repeated group fails without an error, and then reports the wrong place.
 */
import type { Pieces } from '../pieces.ts'

/** The place of the fault in UTF-16 code units, and what is expected there. */
export type JsonFault = { offset: number; expected: string }

const space = /[ \t\r\n]*/y
const scalar = /(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)/y
/** Unescaped characters and at most one escape. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what JSON forbids in strings
const pieceOfString = /[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))?/y

/** The number of characters that one piece handles. */
const PIECE = 8 * 1024

/** Finds the first fault of a text that JSON.parse rejects. */
export function* faultInJson(text: string): Pieces<JsonFault> {
  /** The closing brackets of each array and object that is open here, the innermost last. */
  const closers: string[] = []
  let awaited: 'item' | 'first item' | 'separator' = 'item'
  let at = 0
  let pause = PIECE
  for (;;) {
    if (at > pause) {
      yield
      pause = at + PIECE
    }
    at = endOf(space, text, at)
    const closer = closers.at(-1)
    if (awaited === 'separator' && closer === undefined) return { offset: at, expected: 'the end of the frame' }
    if (awaited !== 'item' && text[at] === closer) {
      closers.pop()
      awaited = 'separator'
      at++
    } else if (awaited === 'separator') {
      if (text[at] !== ',') return { offset: at, expected: `"," or "${closer}"` }
      awaited = 'item'
      at++
    } else {
      if (closer === '}') {
        const key = readKey(text, at)
        if (typeof key !== 'number') return key
        at = key
      }
      const opener = text[at]
      if (opener === '{' || opener === '[') {
        closers.push(opener === '{' ? '}' : ']')
        awaited = 'first item'
        at++
      } else {
        const end = opener === '"' ? readString(text, at) : readScalar(text, at)
        if (typeof end !== 'number') return end
        awaited = 'separator'
        at = end
      }
    }
  }
}

/** From a key to the start of its value; returns the index of the value. */
function readKey(text: string, start: number): number | JsonFault {
  if (text[start] !== '"') return { offset: start, expected: 'a key in double quotes' }
  const end = readString(text, start)
  if (typeof end !== 'number') return end
  const colon = endOf(space, text, end)
  return text[colon] === ':' ? endOf(space, text, colon + 1) : { offset: colon, expected: '":"' }
}

function readString(text: string, start: number): number | JsonFault {
  let at = start + 1
  for (;;) {
    const end = endOf(pieceOfString, text, at)
    if (text[end] === '"') return end + 1
    if (end === text.length) return { offset: end, expected: 'the end of the string' }
    if (end === at) {
      const expected =
        text[end] === '\\' ? 'an escape of JSON' : 'an escape: control characters are not allowed in strings'
      return { offset: end, expected }
    }
    at = end
  }
}

function readScalar(text: string, start: number): number | JsonFault {
  const end = endOf(scalar, text, start)
  return end > start ? end : { offset: start, expected: 'a JSON value' }
}

/** The end of the match of a sticky pattern at `at`; `at` itself if it does not match. */
function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}
