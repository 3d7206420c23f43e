/**
 * Objects with very many members, of which the bus needs a few: they are checked to be JSON and looked through, but not made. To make an object of 40,000
 * keys takes 20 ms and more, and a frame may be one.
 */
import { finish, type Pieces } from '../pieces.ts'
import { countUpTo } from './depth.ts'
import { type Member, nameOf, readMembers } from './members.ts'
import { checkJson, isJson } from './walk.ts'

/** Texts that are shorter, or have no more commas, are parsed: that costs less than to look through them. */
const LONG = 8 * 1024
const MANY = 256

/** True for a text that is better looked through than parsed. */
export const isLarge = (text: string): boolean => text.length > LONG && countUpTo(text, ',', MANY) > MANY

/** Longer ones of them are read in pieces. */
const LONGER = 32 * 1024

/** True for a large text that takes milliseconds to read. */
export const isLong = (text: string): boolean => text.length > LONGER && isLarge(text)

const OPEN_OBJECT = 0x7b
const OPEN_LIST = 0x5b

/** What is made of a member that is asked for. */
export type Reading = (text: string) => unknown

/** Its value, if it is none that holds others: of those only the kind. */
export const readScalar: Reading = (text) => {
  const first = text.charCodeAt(0)
  return first === OPEN_OBJECT ? {} : first === OPEN_LIST ? [] : (JSON.parse(text) as unknown)
}

/** Its value, whatever it is. */
export const readAll: Reading = (text) => JSON.parse(text) as unknown

/** So many members are looked at in one piece. */
const PIECE = 1024

/**
 * An object of the members that are asked for, and the first other one, whose value is `true`: whoever checks that there is no other finds it. Of two of one
 * name the last one counts, as in JSON.parse.
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

/** True for JSON, however long. */
export const isProperJson = (text: string): boolean => (isLarge(text) ? isJson(text) : parse(text) !== undefined)

/** The same in pieces. */
export function* readProper(text: string): Pieces<boolean> {
  return isLarge(text) ? yield* checkJson(text) : parse(text) !== undefined
}

/** The value of a JSON text; undefined where it is none. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * The value of one member of an object, which is JSON: of an object in it the members of these names, in full, and the first other one. Undefined where there is no
 * such member.
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

/** True for an object, and not a list. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * The object of a JSON text, undefined for what is none. Of a text with very many members it has those of these names, with values that hold others left
 * empty, and the first other one.
 */
export const objectIn = (text: string, names: ReadonlySet<string>): Readonly<Record<string, unknown>> | undefined =>
  finish(readObject(text, names))

/** The same in pieces. */
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

/** True where an object begins. White space may stand before it. */
export const isObjectText = (text: string): boolean => text.trimStart().startsWith('{')
