/** Grants, compiled: which actions they name at an address, or towards a client (docs/protocol.md#permissions). */
import { NameMasks, type NamePattern, Prefixes } from './name-patterns.ts'

/** An address pattern: of a room and its channels, or of client ids. */
export type AddressPattern =
  | { readonly room: NamePattern; readonly channel: NamePattern }
  | { readonly client: NamePattern }

/** A pattern with the bits of its actions. */
export type Grant = { readonly pattern: AddressPattern; readonly mask: number }

/** The actions that a set of grants names, as bits. */
export class GrantTable {
  readonly clients: NameMasks
  readonly #any: NameMasks | undefined
  readonly #exact = new Map<string, NameMasks>()
  readonly #prefixes: Prefixes<NameMasks>

  constructor(grants: Iterable<Grant>) {
    const clients: [NamePattern, number][] = []
    const rooms = new Map<string, { readonly room: NamePattern; readonly channels: [NamePattern, number][] }>()
    for (const { pattern, mask } of grants) {
      if ('client' in pattern) clients.push([pattern.client, mask])
      else {
        const { room, channel } = pattern
        const key = `${room.kind} ${room.text}`
        const { channels } = rooms.get(key) ?? setAndGet(rooms, key, { room, channels: [] })
        channels.push([channel, mask])
      }
    }
    const prefixes = new Map<string, NameMasks>()
    let any: NameMasks | undefined
    for (const { room, channels } of rooms.values()) {
      const masks = new NameMasks(channels)
      if (room.kind === 'any') any = masks
      else (room.kind === 'exact' ? this.#exact : prefixes).set(room.text, masks)
    }
    this.clients = new NameMasks(clients)
    this.#any = any
    this.#prefixes = new Prefixes(prefixes)
  }

  /** What is named at an address; the broadcast of a room, `*`, has what every channel of the room has. */
  at(room: string, channel: string): number {
    let mask = (this.#any?.of(channel) ?? 0) | (this.#exact.get(room)?.of(channel) ?? 0)
    for (let found = this.#prefixes.longest(room); found !== undefined; found = found.outer)
      mask |= found.value.of(channel)
    return mask
  }

  /** What is named in at least one channel that the room has or may have. */
  inSome(room: string): number {
    let mask = (this.#any?.some ?? 0) | (this.#exact.get(room)?.some ?? 0)
    for (let found = this.#prefixes.longest(room); found !== undefined; found = found.outer) mask |= found.value.some
    return mask
  }
}

function setAndGet<K, V>(map: Map<K, V>, key: K, value: V): V {
  map.set(key, value)
  return value
}
