/** The metadata of an envelope as text: what the bus reads of it, and whether a key is repeated. */
import { finish, type Pieces } from '../pieces.ts'
import { countUpTo } from './depth.ts'
import { gistOf, isLarge, isProperJson, parse, readAll } from './gist.ts'
import { hasRepeatedName, membersOf, readMembers, repeatedName } from './json-members.ts'
import { type ClientMetadata, isBusKey } from './schema.ts'

/** The keys that the bus reads, and the first repeated key. */
export type ParsedMetadata = { readonly value: Readonly<ClientMetadata>; readonly repeated: string | undefined }

/** Parses metadata; undefined if the text is not JSON. */
export function parseMetadata(text: string): ParsedMetadata | undefined {
  if (!isLarge(text)) return parseSmall(text)
  return isProperJson(text) ? finish(readLarge(text)) : undefined
}

/** `parseMetadata` in pieces, for a text that is known to be JSON. */
export function* readMetadata(text: string): Pieces<ParsedMetadata> {
  return isLarge(text) ? yield* readLarge(text) : parseSmall(text)!
}

function* readLarge(text: string): Pieces<ParsedMetadata> {
  const members = yield* readMembers(text, 0)
  const value = yield* gistOf(text, members, (name) => (isBusKey(name) ? readAll : undefined))
  const isDoubled = yield* hasRepeatedName(text, members)
  return { value, repeated: isDoubled ? yield* repeatedName(members) : undefined }
}

function parseSmall(text: string): ParsedMetadata | undefined {
  const value = parse(text) as Readonly<ClientMetadata> | undefined
  if (value === undefined) return undefined
  return { value, repeated: hasEachKeyOnce(value, text) ? undefined : finish(repeatedName(membersOf(text, 0))) }
}

/** An object's text has at most one member more than commas; if that is inconclusive, the members are counted. */
function hasEachKeyOnce(value: Readonly<Record<string, unknown>>, text: string): boolean {
  const keys = Object.keys(value).length
  return countUpTo(text, ',', keys) + 1 === keys || membersOf(text, 0).length === keys
}
