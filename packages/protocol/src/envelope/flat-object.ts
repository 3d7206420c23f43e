/**
 * Recognises small flat objects, as most payloads are, as valid JSON without parsing them. Parsing one takes three
 * times as long, and creates objects and strings that are never used, because payloads are passed on as they were
 * written.
 */

const string = '"[^"\\\\\\u0000-\\u001f]*"'
const number = '-?(?:0|[1-9][0-9]*)(?:\\.[0-9]+)?(?:[eE][+-]?[0-9]+)?'
/** One member without white space, escapes, lists or objects, and the comma or brace after it. */
const member = new RegExp(`${string}:(?:${string}|${number}|true|false|null)[,}]`, 'y')

const QUOTE = 0x22
const CLOSE = 0x7d

/** JSON.parse scans longer texts faster. */
const SMALL = 1024

/**
 * The index after the object that opens at `start`, if it is small, flat and plainly written; -1 otherwise, although it
 * may still be valid JSON.
 */
export function endOfFlatObject(text: string, start: number): number {
  if (text.length - start > SMALL) return -1
  let at = start + 1
  if (text.charCodeAt(at) === CLOSE) return at + 1
  while (text.charCodeAt(at) === QUOTE) {
    member.lastIndex = at
    if (!member.test(text)) return -1
    at = member.lastIndex
    if (text.charCodeAt(at - 1) === CLOSE) return at
  }
  return -1
}
