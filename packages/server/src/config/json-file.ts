/** The configuration file as JSON. Objects that belong to the application are kept as they were written. */
import { finish, memberText, readOnlyList } from '@arqonbus/protocol'

/**
 * An object of the configuration as JSON text: its numbers, escapes, order of keys and white space reach clients byte
 * for byte, as those of `create_channel` do (docs/protocol.md#rooms-and-channels).
 */
export class WrittenObject {
  constructor(readonly text: string) {}
}

/**
 * Parses the file; the `config` of a room and the `metadata` of a channel are each a `WrittenObject`. Refuses integers
 * elsewhere that would be rounded, as the parser of TOML does.
 */
export function parseJson(text: string): unknown {
  const file: unknown = JSON.parse(text)
  if (isObject(file)) keepWritten(file, text)
  if (hasRounded(file)) throw new RangeError('an integer beyond 2^53, which would be rounded: write it as a string')
  return file
}

function keepWritten(file: Table, text: string): void {
  for (const [room, roomText] of objectsIn(file, 'rooms', text)) {
    keep(room, 'config', roomText)
    for (const [channel, channelText] of objectsIn(room, 'channels', roomText)) keep(channel, 'metadata', channelText)
  }
}

/** The objects of a list that is a member of an object, each with its text. */
function objectsIn(owner: Table, name: string, text: string): [Table, string][] {
  const list = owner[name]
  if (!Array.isArray(list)) return []
  const texts = finish(readOnlyList(`{"list":${memberText(text, name)!}}`, 'list', list.length))!
  return list.flatMap((one: unknown, at): [Table, string][] => (isObject(one) ? [[one, texts[at]!]] : []))
}

function keep(owner: Table, name: string, text: string): void {
  if (isObject(owner[name])) owner[name] = new WrittenObject(memberText(text, name)!)
}

function hasRounded(value: unknown): boolean {
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value)
  return typeof value === 'object' && value !== null && Object.values(value).some(hasRounded)
}

type Table = Record<string, unknown>

const isObject = (value: unknown): value is Table =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
