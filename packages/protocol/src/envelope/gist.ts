/**
 * Reads a few members of objects with very many, such as the bus needs: the text is validated and searched, but the
 * object is not created. Creating an object of 40,000 keys takes more than 20 ms, and a frame may be one.
 */
import { finish, type Pieces } from '../pieces.ts'
import { countUpTo } from './depth.ts'
import { type Member, nameOf, readMembers } from './json-members.ts'
import { checkJson, isJson } from './walk.ts'

/** Texts that are shorter, or have fewer commas, are parsed: that costs less than searching them. */
const LONG = 8 * 1024
const MANY = 256

/** True for a text that is better searched than parsed. */
export const isLarge = (text: string): boolean => text.length > LONG && countUpTo(text, ',', MANY) > MANY

/** Texts longer than this are read in pieces. */
const LONGER = 32 * 1024

/** True for a large text that takes milliseconds to read. */
export const isLong = (text: string): boolean => text.length > LONGER && isLarge(text)

const OPEN_OBJECT = 0x7b
const OPEN_LIST = 0x5b

/** Turns the text of a requested member into a value. */
export type Reading = (text: string) => unknown

/** The value of a scalar; an empty object or list for a value that holds others. */
export const readScalar: Reading = (text) => {
  const first = text.charCodeAt(0)
  return first === OPEN_OBJECT ? {} : first === OPEN_LIST ? [] : (JSON.parse(text) as unknown)
}

/** The value, whatever its kind. */
export const readAll: Reading = (text) => JSON.parse(text) as unknown

/** The number of members that one piece handles. */
const PIECE = 1024

/**
 * An object with the requested members, and the first other member with the value `true`, so that a check for unknown
 * members finds it. If a name is repeated, its last member counts, as in JSON.parse.
 */
export function* gistOf(
  text: string,
  members: readonly Member[],
  readingOf: (name: string) => Reading | undefined,
): Pieces<Record<string, unknown>> {
  const gist: Record<string, unknown> = Object.create(null)
  let hasOther = false
  let count = 0
  for (const member of members) {
    if (++count % PIECE === 0) yield
    const name = nameOf(member)
    const read = readingOf(name)
    if (read !== undefined) gist[name] = read(text.slice(member.start, member.end))
    else if (!hasOther) {
      gist[name] = true
      hasOther = true
    }
  }
  return gist
}

/** True for valid JSON of any length. */
export const isProperJson = (text: string): boolean => (isLarge(text) ? isJson(text) : parse(text) !== undefined)

/** `isProperJson` in pieces. */
export function* readProper(text: string): Pieces<boolean> {
  return isLarge(text) ? yield* checkJson(text) : parse(text) !== undefined
}

/** The value of a JSON text; undefined if the text is not JSON. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * The value of one member of an object, which is valid JSON. If that value is an object, only its members with these
 * names are read, in full, and the first other one. Undefined if there is no such member.
 */
export function* readMember(text: string, name: string, names: ReadonlySet<string>): Pieces<unknown> {
  const member = (yield* readMembers(text, 0)).findLast((one) => nameOf(one) === name)
  if (member === undefined) return undefined
  const own = text.slice(member.start, member.end)
  if (!isObjectText(own)) return readScalar(own)
  const members = yield* readMembers(own, 0)
  yield
  return yield* gistOf(own, members, (key) => (names.has(key) ? readAll : undefined))
}

/** True for an object that is not a list. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * The object of a JSON text; undefined for any other text. If the text has very many members, the object has those with
 * these names, where values that hold others are left empty, and the first other member.
 */
export const objectIn = (text: string, names: ReadonlySet<string>): Readonly<Record<string, unknown>> | undefined =>
  finish(readObject(text, names))

/** `objectIn` in pieces. */
export function* readObject(
  text: string,
  names: ReadonlySet<string>,
): Pieces<Readonly<Record<string, unknown>> | undefined> {
  if (!isLarge(text)) {
    const value = parse(text)
    return isObject(value) ? value : undefined
  }
  if (!isObjectText(text) || !(yield* checkJson(text))) return undefined
  const members = yield* readMembers(text, 0)
  return yield* gistOf(text, members, (name) => (names.has(name) ? readScalar : undefined))
}

/** True if the text begins with an object, after any white space. */
export const isObjectText = (text: string): boolean => text.trimStart().startsWith('{')
