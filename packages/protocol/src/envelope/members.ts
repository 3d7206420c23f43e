/** A cursor over the members of a JSON object's text, for text that JSON.parse has accepted. */

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** One member: the key as it is written between its quotes, and where its value stands in the text. */
export type Member = { readonly key: string; readonly start: number; readonly end: number }

/** The members of the object that begins at `start`, in their order, doubles included. */
export function membersOf(text: string, start: number): Member[] {
  const members: Member[] = []
  let at = skipSpace(text, skipSpace(text, start) + 1)
  while (text.charCodeAt(at) === QUOTE) {
    const keyEnd = endOfString(text, at)
    const key = text.slice(at + 1, keyEnd - 1)
    const valueStart = skipSpace(text, skipSpace(text, keyEnd) + 1)
    const end = endOfValue(text, valueStart)
    members.push({ key, start: valueStart, end })
    at = skipSpace(text, skipSpace(text, end) + 1)
  }
  return members
}

/** The name that a member's key spells. */
export const nameOf = (member: Member): string =>
  member.key.includes('\\') ? (JSON.parse(`"${member.key}"`) as string) : member.key

/** The first name that a second member has too, however it is spelled. */
export function doubledName(members: readonly Member[]): string | undefined {
  const seen = new Set<string>()
  for (const member of members) {
    const name = nameOf(member)
    if (seen.has(name)) return name
    seen.add(name)
  }
  return undefined
}

function endOfValue(text: string, start: number): number {
  const first = text.charCodeAt(start)
  if (first === QUOTE) return endOfString(text, start)
  if (isOpener(first)) return endOfNest(text, start)
  let at = start
  while (at < text.length && !isEndOfScalar(text.charCodeAt(at))) at++
  return at
}

function endOfNest(text: string, start: number): number {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfString(text, at) - 1
    else if (isOpener(code)) depth++
    else if (isCloser(code) && --depth === 0) return at + 1
  }
  return text.length
}

/** Jumps from quote to quote; a quote behind an odd number of backslashes is content. Each backslash is looked at once. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let backslashes = 0
    while (text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes++
    if (backslashes % 2 === 0) return at + 1
  }
  return text.length
}

function skipSpace(text: string, start: number): number {
  let at = start
  while (isSpace(text.charCodeAt(at))) at++
  return at
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
const isOpener = (code: number): boolean => code === 0x7b || code === 0x5b
const isCloser = (code: number): boolean => code === 0x7d || code === 0x5d
const isEndOfScalar = (code: number): boolean => code === 0x2c || isCloser(code) || isSpace(code)
