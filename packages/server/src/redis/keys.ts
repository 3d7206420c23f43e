/**
 * The names of our keys in Redis: `arqon:<format>:{<tag>}:<what>`. The tag decides the slot of a cluster. It comes from
 * a table of 512 that are spread evenly over the slots, so that a script call can carry what belongs together, and a
 * cluster divides the channels evenly. Names never change within a format: what is stored today is found by every later
 * version.
 */
import calculateSlot from 'cluster-key-slot'

/** The format of what is stored. Another one gets another number, and old data is left alone. */
const FORMAT = 1
const TAGS = 512
const SLOTS = 16_384

const tags = spreadTags()

/** The start of all keys of one thing, which is always found under the same tag. */
export const keyOf = (name: string): string => `arqon:${FORMAT}:{${tagOf(name)}}:${name}`

/** The channel on which the nodes hear of what happens under the tag of a name. */
export const newsChannelOf = (name: string): string => `arqon:${FORMAT}:{${tagOf(name)}}`

function tagOf(name: string): string {
  return tags[hash(name) % TAGS]!
}

/** FNV-1a over UTF-16 code units (public domain): small, stable, and even enough for a table of 512. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}

/** The first number, in base 36, that falls into each of 512 equal parts of the slots. */
function spreadTags(): string[] {
  const found = new Array<string>(TAGS)
  for (let number = 0, missing = TAGS; missing > 0; number++) {
    const tag = number.toString(36)
    const part = Math.floor(calculateSlot(tag) / (SLOTS / TAGS))
    if (found[part] !== undefined) continue
    found[part] = tag
    missing--
  }
  return found
}

/** Where a record is: a hash, and a field of it. */
export type RecordPlace = readonly [key: string, field: string]
