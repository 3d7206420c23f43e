/**
 * The rooms and channels of the store: written behind what happens here, restored when the store can be read for the
 * first time, and loaded where a client names a room or a channel that is not here.
 */
import type { Logger } from '../observability/logger.ts'
import type { Channel, Room } from '../state/model.ts'
import type { ChannelRecord, RoomRecord } from '../state/records.ts'
import type { Rooms } from '../state/rooms.ts'
import { channelIn, roomIn } from './record-text.ts'
import { type Restore, unlessFull } from './restore.ts'
import { type RecordTexts, winsOver } from './room-records.ts'
import type { Change, Records, Store, Stored } from './store.ts'
import { WriteBehind } from './write-behind.ts'

/** What saving rooms and channels needs. */
export type SavedRoomsDeps = {
  readonly store: Pick<Store, 'isAway' | 'write'>
  readonly rooms: Rooms
  readonly restore: Restore
  readonly logger: Logger
  /** The record of each; of channels none where these are not saved. */
  readonly texts: RecordTexts
}

const MOST_WAITING = 100_000
/** Maximum of records that are handled in one turn of the event loop. */
const RECORDS_IN_TURN = 100

const readers = { room: roomIn, channel: channelIn }

type AnyFound = Found<RoomRecord | ChannelRecord>

/** The saved rooms and channels of one server. */
export class SavedRooms {
  readonly #deps: SavedRoomsDeps
  /**
   * Changes on their way to the store. The key of a channel is its address, and that of a room its name, which has no
   * colon.
   */
  readonly writes: WriteBehind
  /** False until the store has been read for the first time: it may have anything. */
  isLoaded = false
  /** Comparisons under way, or asked for: one after the other. */
  #comparisons = 0
  #lastComparison: Promise<unknown> = Promise.resolve()
  /**
   * What ended here during an outage or a comparison: a record of it that is still stored does not apply to what has
   * its name now.
   */
  readonly #ended = new Set<string>()

  constructor(deps: SavedRoomsDeps) {
    this.#deps = deps
    this.writes = new WriteBehind({
      delayMs: 0,
      most: MOST_WAITING,
      isGone: (key) => this.#changeOf(key)?.text === undefined,
      changeOf: (key) => this.#changeOf(key),
      write: deps.store.write,
    })
  }

  /** A room or a channel was created, has changed, or is gone. */
  changed(room: string, channel?: string): void {
    const { texts, store, rooms } = this.#deps
    if (channel !== undefined && texts.ofChannel === undefined) return
    // A configured room is stored only where it has a channel that is.
    if (channel !== undefined && rooms.get(room)?.type === 'system') this.writes.changed(room)
    const key = channel === undefined ? room : `${room}:${channel}`
    const mayBeStale = (store.isAway || this.#comparisons > 0) && this.#ended.size < MOST_WAITING
    if (mayBeStale && this.#find(key) === undefined) this.#ended.add(key)
    this.writes.changed(key)
  }

  /** Restores what the store has, the first time; later compares it with what is here. */
  async compare(stored: Stored): Promise<void> {
    if (this.isLoaded) {
      this.#comparisons++
      const comparison = this.#lastComparison.then(() => this.#compareAll(stored)).finally(() => this.#comparisons--)
      this.#lastComparison = comparison.catch(() => {})
      return comparison
    }
    await this.#load(stored)
    this.#ended.clear()
    this.isLoaded = true
  }

  /** Compares only the names of what has changed here. */
  async check(stored: Stored): Promise<void> {
    const keys = [...this.writes.pending.waiting()].filter(
      (key) => this.#find(key) !== undefined && !this.#isConfigured(key),
    )
    for (let i = 0; i < keys.length; i += RECORDS_IN_TURN) {
      const some = keys.slice(i, i + RECORDS_IN_TURN)
      const found = await Promise.all(some.map((key) => stored.place(...(key.split(':') as [string, string?]))))
      for (const [at, key] of some.entries()) {
        const kind = key.includes(':') ? 'channel' : 'room'
        const text = found[at]![kind]
        const record = text === undefined ? undefined : readers[kind](key, text)
        if (text !== undefined && record !== undefined) this.#restoreIfTheirs({ key, text, record })
      }
    }
  }

  /** Restores what the store has of a name that is not known here; `too_many_rooms`, `too_many_channels`. */
  found(kind: 'room' | 'channel', key: string, text: string): void {
    const record = readers[kind](key, text)
    // What has ended here, and is still to be removed from the store, is known better here.
    if (
      record !== undefined &&
      this.#find(key) === undefined &&
      !this.#isConfigured(key) &&
      !this.writes.pending.has(key)
    )
      this.#restore({ key, text, record })
  }

  #find(key: string): Room | Channel | undefined {
    const [roomName, channelName] = key.split(':') as [string, string?]
    const room = this.#deps.rooms.get(roomName)
    return channelName === undefined ? room : room?.channels.get(channelName)
  }

  /** True for what the configuration lists, or is built in, and for anything in a built-in room. */
  #isConfigured(key: string): boolean {
    const found = this.#find(key)
    if (found !== undefined) return 'room' in found ? found.hardcoded : found.type === 'system'
    return this.#deps.rooms.get(key.split(':')[0]!)?.builtIn === true
  }

  #changeOf(key: string): Change | undefined {
    const { texts } = this.#deps
    const found = this.#find(key)
    // What was stored before the configuration took the name is restored when the configuration releases it.
    if (this.#isConfigured(key))
      return found !== undefined && 'channels' in found ? placeholderOf(found, texts) : undefined
    if (found !== undefined && 'room' in found) return { kind: 'channel', name: key, text: texts.ofChannel?.(found) }
    if (found !== undefined) return { kind: 'room', name: key, text: texts.ofRoom(found) }
    return { kind: key.includes(':') ? 'channel' : 'room', name: key, text: undefined }
  }

  /**
   * All rooms of the store, and their channels where these are saved, in the order of their creation: lists have that
   * order.
   */
  async #allIn(stored: Stored): Promise<{ rooms: Found<RoomRecord>[]; channels: Found<ChannelRecord>[] }> {
    const rooms = await recordsIn(stored.rooms(), roomIn)
    const configured = Iterator.from(this.#deps.rooms.all()).filter(({ type }) => type === 'system')
    const names = new Set([...rooms.map(({ record }) => record.name), ...configured.map(({ name }) => name)])
    const isSaved = this.#deps.texts.ofChannel !== undefined
    return { rooms, channels: isSaved ? await recordsIn(stored.channels([...names]), channelIn) : [] }
  }

  /** What is here becomes what the store has. */
  #restore({ key, text, record }: AnyFound): void {
    if (this.#changeOf(key)?.text === text) return
    const { restore } = this.#deps
    'room' in record ? restore.channel(record) : restore.room(record)
    if (this.#changeOf(key)?.text === text) this.writes.unchanged(key)
  }

  /** Two that were created under one name: all servers choose the same one. */
  #restoreIfTheirs(one: AnyFound): void {
    const here = this.#find(one.key)
    if (here === undefined || this.#isConfigured(one.key) || this.#ended.has(one.key)) return
    if (winsOver(one.record, here)) unlessFull(() => this.#restore(one))
  }

  /** Restores everything; nothing that was created here meanwhile may be older. */
  async #load(stored: Stored): Promise<void> {
    const all = await this.#allIn(stored)
    let missing = 0
    for await (const one of byTurns([...all.rooms, ...all.channels]))
      if (!unlessFull(() => this.#restore(one))) missing++
    if (all.rooms.length + all.channels.length === 0) return
    const counts = { rooms: all.rooms.length, channels: all.channels.length, left_out: missing }
    this.#deps.logger.info({ event: 'rooms_restored', ...counts })
  }

  /**
   * What is here is written again where the store has lost it, or has it otherwise. What is not here may be another
   * server's.
   */
  async #compareAll(stored: Stored): Promise<void> {
    const all = await this.#allIn(stored)
    const same = new Set<string>()
    for await (const one of byTurns([...all.rooms, ...all.channels])) {
      this.#restoreIfTheirs(one)
      if (this.#changeOf(one.key)?.text === one.text) same.add(one.key)
    }
    this.#ended.clear()
    const writeUnlessSame = (key: string) => {
      if (!same.has(key)) this.writes.changed(key)
    }
    for (const room of this.#deps.rooms.all()) {
      if (room.builtIn) continue
      writeUnlessSame(room.name)
      if (this.#deps.texts.ofChannel === undefined) continue
      for await (const { address } of byTurns(room.channels.values())) writeUnlessSame(address)
    }
  }
}

/**
 * What is written of a configured room: the record by which its other channels are found when the configuration does
 * not list it any more, unless there is a record of its name.
 */
function placeholderOf(room: Room, texts: RecordTexts): Change | undefined {
  const hasStored = texts.ofChannel !== undefined && room.channels.values().some(({ hardcoded }) => !hardcoded)
  return hasStored ? { kind: 'room', name: room.name, text: texts.ofRoom(room), isOnlyIfAbsent: true } : undefined
}

type Found<R> = { readonly key: string; readonly record: R; readonly text: string }

/**
 * The items of a collection, a hundred in one turn of the event loop: with very many records a comparison takes
 * seconds.
 */
async function* byTurns<T>(all: Iterable<T>): AsyncGenerator<T> {
  let count = 0
  for (const one of all) {
    if (++count % RECORDS_IN_TURN === 0) await new Promise((resolve) => setImmediate(resolve))
    yield one
  }
}

/** All records, in the order of creation. The store may return one twice. */
async function recordsIn<R extends { readonly createdAt: number }>(
  pages: AsyncIterable<Records>,
  read: (key: string, text: string) => R | undefined,
): Promise<Found<R>[]> {
  const found = new Map<string, Found<R>>()
  for await (const page of pages) {
    for (const [key, text] of page) {
      const record = read(key, text)
      if (record !== undefined) found.set(key, { key, record, text })
    }
  }
  return [...found.values()].sort((a, b) => a.record.createdAt - b.record.createdAt)
}
