/** A cursor over the members of a JSON object's text, for text that JSON.parse has accepted. */
import type { Pieces } from '../pieces.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** One member: the key as written between its quotes, its index in the text, and the indices of its value. */
export type Member = { readonly key: string; readonly keyStart: number; readonly start: number; readonly end: number }

/** The number of members that one piece handles. */
const PIECE = 1024

/** The members of the object that begins at `start`, in order, including repeated ones. */
export function membersOf(text: string, start: number): Member[] {
  const members: Member[] = []
  collect(text, firstKey(text, start), members, Number.POSITIVE_INFINITY)
  return members
}

/** `membersOf` in pieces. */
export function* readMembers(text: string, start: number): Pieces<Member[]> {
  const members: Member[] = []
  let at = firstKey(text, start)
  for (;;) {
    const most = members.length + PIECE
    at = collect(text, at, members, most)
    if (members.length < most) return members
    yield
  }
}

/**
 * The text of a member of an object, or of one further down on a path; if a name is repeated, that of the last member.
 * Undefined if there is no such member.
 */
export function memberText(text: string, ...path: readonly string[]): string | undefined {
  let own = text
  for (const name of path) {
    const member = membersOf(own, 0).findLast((one) => nameOf(one) === name)
    if (member === undefined) return undefined
    own = own.slice(member.start, member.end)
  }
  return own
}

/** The number of characters that one piece of a list scans; an element is not divided. */
const PIECE_LENGTH = 64 * 1024

/**
 * The texts of the elements of the list that is the only member, with this name, of an object; at most one more than
 * `most`. Undefined if the text is anything else. The text is JSON.
 */
export function* readOnlyList(text: string, name: string, most: number): Pieces<string[] | undefined> {
  const keyStart = firstKey(text, 0)
  if (text.charCodeAt(skipSpace(text, 0)) !== OPEN_OBJECT || text.charCodeAt(keyStart) !== QUOTE) return undefined
  const keyEnd = endOfString(text, keyStart)
  const start = skipSpace(text, skipSpace(text, keyEnd) + 1)
  if (text.slice(keyStart, keyEnd) !== `"${name}"` || text.charCodeAt(start) !== OPEN_LIST) return undefined
  const elements: string[] = []
  let at = skipSpace(text, start + 1)
  let pause = at + PIECE_LENGTH
  while (elements.length <= most && text.charCodeAt(at) !== CLOSE_LIST) {
    const end = endOfValue(text, at)
    elements.push(text.slice(at, end))
    at = skipSpace(text, end)
    if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1)
    if (at < pause) continue
    pause = at + PIECE_LENGTH
    yield
  }
  const isOnly = elements.length > most || text.charCodeAt(skipSpace(text, at + 1)) === CLOSE_OBJECT
  return isOnly ? elements : undefined
}

/** The index of the first key of an object, or of its closing brace. */
const firstKey = (text: string, start: number): number => skipSpace(text, skipSpace(text, start) + 1)

/** Collects members from a key on, until there are `most`; returns the index of the next key. */
function collect(text: string, start: number, members: Member[], most: number): number {
  let at = start
  while (members.length < most && text.charCodeAt(at) === QUOTE) {
    const keyEnd = endOfString(text, at)
    const key = text.slice(at + 1, keyEnd - 1)
    const valueStart = skipSpace(text, skipSpace(text, keyEnd) + 1)
    const end = endOfValue(text, valueStart)
    members.push({ key, keyStart: at + 1, start: valueStart, end })
    at = skipSpace(text, skipSpace(text, end) + 1)
  }
  return at
}

/** The name of a member, with escapes resolved. */
export const nameOf = (member: Member): string =>
  member.key.includes('\\') ? (JSON.parse(`"${member.key}"`) as string) : member.key

/** The first name that a second member has too, in any spelling. */
export function* repeatedName(members: readonly Member[]): Pieces<string | undefined> {
  const seen = new Set<string>()
  for (const member of members) {
    const name = nameOf(member)
    if (seen.has(name)) return name
    seen.add(name)
    if (seen.size % PIECE === 0) yield
  }
  return undefined
}

/** Odd, and different in each process, so that a client cannot choose keys with equal hashes. */
const factor = (Math.random() * 2 ** 32) | 1

/**
 * True if two members have the same name, in any spelling. Names are compared within the text: creating a string for
 * each of 30,000 names and looking it up takes ten times as long.
 */
export function* hasRepeatedName(text: string, members: readonly Member[]): Pieces<boolean> {
  const size = 2 ** Math.ceil(Math.log2(2 * members.length + 1))
  /** The number of the member with each hash, plus one. */
  const places = new Int32Array(size)
  const mask = size - 1
  for (let i = 0; i < members.length; i++) {
    const member = members[i]!
    let place = hashOf(text, member) & mask
    for (; places[place] !== 0; place = (place + 1) & mask) {
      const other = members[places[place]! - 1]!
      if (isSameName(text, member, other)) return true
    }
    places[place] = i + 1
    if (i % PIECE === PIECE - 1) yield
  }
  return false
}

function isSameName(text: string, one: Member, other: Member): boolean {
  if (one.key.includes('\\') || other.key.includes('\\')) return nameOf(one) === nameOf(other)
  const { length } = one.key
  if (length !== other.key.length) return false
  for (let i = 0; i < length; i++)
    if (text.charCodeAt(one.keyStart + i) !== text.charCodeAt(other.keyStart + i)) return false
  return true
}

/** The hash of the name of a key. */
function hashOf(text: string, { key, keyStart }: Member): number {
  const end = keyStart + key.length
  let hash = 0
  for (let at = keyStart; at < end; at++) {
    let code = text.charCodeAt(at)
    if (code === BACKSLASH) {
      code = text.charCodeAt(++at)
      if (code === SMALL_U) {
        code = 0
        for (let last = at + 4; at < last; ) code = 16 * code + hexDigit(text.charCodeAt(++at))
      } else code = escapes.get(code) ?? code
    }
    hash = (Math.imul(hash, factor) + code) | 0
  }
  return hash ^ (hash >>> 15)
}

/** The value of a digit from 0 to f, in either case. */
const hexDigit = (code: number): number => (code <= 0x39 ? code - 0x30 : (code | 0x20) - 0x57)

const SMALL_U = 0x75
/** The characters of `\\b`, `\\f`, `\\n`, `\\r` and `\\t`; any other escaped character is itself. */
const escapes: ReadonlyMap<number, number> = new Map([
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
])

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

/** Searches from quote to quote; a quote after an odd number of backslashes is content. Each backslash is read once. */
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
const isOpener = (code: number): boolean => code === OPEN_OBJECT || code === OPEN_LIST
const isCloser = (code: number): boolean => code === CLOSE_OBJECT || code === CLOSE_LIST
const isEndOfScalar = (code: number): boolean => code === COMMA || isCloser(code) || isSpace(code)
