/**
 * Rooms and channels that the configuration wants. Only their shape is read here: names, doubles and conflicts are
 * judged where they are created, because what happens then is a setting too (`BOOTSTRAP`,
 * docs/protocol.md#rooms-and-channels).
 */
import { ChannelOptions, compile } from '@arqonbus/protocol'
import { WrittenObject } from './json-file.ts'
import { type Kind, type Reading, shown } from './kind.ts'
import { optionalTable, type Table, table, text } from './table.ts'

/** A channel to create at the start. */
type BootstrapChannel = {
  readonly name: string
  readonly type?: 'general' | 'private' | 'system'
  readonly metadata?: Readonly<Record<string, unknown>> | WrittenObject
  readonly options?: Readonly<ChannelOptions>
}

/** A room to create at the start. */
type BootstrapRoom = {
  readonly name: string
  readonly config?: Readonly<Record<string, unknown>> | WrittenObject
  readonly channels: readonly BootstrapChannel[]
}

/**
 * A list of rooms: `science:general,science:explore,ops` as a text; in the file also tables with everything a room can
 * have.
 */
export const rooms: Kind<readonly BootstrapRoom[]> = {
  name: 'rooms',
  accepts:
    'a list, separated by commas, of room:channel or room; in the file also tables { name, config?, channels = [{ name, type?, metadata?, options? }] }',
  read(raw) {
    if (raw === 'none') return { value: [] }
    const items = typeof raw === 'string' ? raw.split(',') : raw
    if (!Array.isArray(items)) return {}
    return readRooms(items)
  },
  text: (value) => (value.length === 0 ? 'none' : value.flatMap(addresses).join(',')),
}

const addresses = ({ name, channels }: BootstrapRoom): string[] =>
  channels.length === 0 ? [name] : channels.map((channel) => `${name}:${channel.name}`)

function readRooms(items: readonly unknown[]): Reading<readonly BootstrapRoom[]> {
  const faults: string[] = []
  const found: BootstrapRoom[] = []
  const byName = new Map<string, { name: string; channels: BootstrapChannel[] }>()
  items.forEach((item, at) => {
    if (typeof item !== 'string') {
      const room = readRoom(item, `rooms[${at}]`, faults)
      if (room !== undefined) found.push(room)
      return
    }
    const text = item.trim()
    const colon = text.indexOf(':')
    const name = colon < 0 ? text : text.slice(0, colon)
    if (name === '' || colon === text.length - 1) {
      faults.push(`entry ${at + 1}, ${shown(text)}, must be room:channel or room`)
      return
    }
    // Addresses of one room, wherever they are in the list, are one room.
    let room = byName.get(name)
    if (room === undefined) {
      room = { name, channels: [] }
      byName.set(name, room)
      found.push(room)
    }
    if (colon >= 0) room.channels.push({ name: text.slice(colon + 1) })
  })
  return faults.length > 0 ? { faults } : { value: found }
}

const channelTypes = ['general', 'private', 'system'] as const

function readRoom(raw: unknown, path: string, faults: string[]): BootstrapRoom | undefined {
  const before = faults.length
  const fields = table(raw, path, ['name', 'config', 'channels'], faults)
  if (fields === undefined) return undefined
  const name = text(fields.name, `${path}.name`, faults)
  const config = optionalObject(fields.config, `${path}.config`, faults)
  const list = fields.channels ?? []
  if (!Array.isArray(list)) faults.push(`${path}.channels must be a list`)
  const channels = (Array.isArray(list) ? list : []).map((one, at) =>
    readChannel(one, `${path}.channels[${at}]`, faults),
  )
  if (faults.length > before) return undefined
  return { name, ...(config && { config }), channels: channels.filter((channel) => channel !== undefined) }
}

function readChannel(raw: unknown, path: string, faults: string[]): BootstrapChannel | undefined {
  if (typeof raw === 'string') return { name: text(raw, path, faults) }
  const fields = table(raw, path, ['name', 'type', 'metadata', 'options'], faults)
  if (fields === undefined) return undefined
  const name = text(fields.name, `${path}.name`, faults)
  const type = channelTypes.find((one) => one === fields.type)
  if (fields.type !== undefined && type === undefined)
    faults.push(`${path}.type must be one of ${channelTypes.join(', ')}`)
  const metadata = optionalObject(fields.metadata, `${path}.metadata`, faults)
  const options = optionalTable(fields.options, `${path}.options`, faults)
  const wrong = options && checkOptions()(options)
  if (wrong) faults.push(`${path}.options${wrong.path.replaceAll('/', '.')} must be: ${wrong.expected}`)
  return { name, ...(type && { type }), ...(metadata && { metadata }), ...(options && { options }) }
}

let compiled: ReturnType<typeof compile> | undefined
/** Compiled when a file first has options: most have none. */
const checkOptions = () => (compiled ??= compile(ChannelOptions))

/** An object of the application; one of TOML becomes JSON, which has no such numbers as `inf`. */
function optionalObject(raw: unknown, path: string, faults: string[]): Table | WrittenObject | undefined {
  if (raw instanceof WrittenObject) return raw
  const fields = optionalTable(raw, path, faults)
  if (hasInfinite(fields)) faults.push(`${path} must not have inf or nan, nor a number beyond the range of a double`)
  return fields
}

const hasInfinite = (value: unknown): boolean =>
  typeof value === 'number'
    ? !Number.isFinite(value)
    : typeof value === 'object' && value !== null && Object.values(value).some(hasInfinite)
