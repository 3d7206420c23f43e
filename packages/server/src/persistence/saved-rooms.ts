/**
 * What the store has of rooms and channels: written behind what happens here, put back when the store comes for the first time, and asked for where somebody
 * names a room or a channel that is not here.
 */
import type { Logger } from '../observability/logger.ts'
import type { Channel, Room } from '../state/model.ts'
import type { ChannelRecord, RoomRecord } from '../state/records.ts'
import type { Rooms } from '../state/rooms.ts'
import { channelIn, roomIn } from './record-text.ts'
import { type Restore, unlessFull } from './restore.ts'
import { type RecordTexts, winsOver } from './room-records.ts'
import type { Change, Records, Store, Stored } from './store.ts'
import { createWriteBehind, type WriteBehind } from './write-behind.ts'

/** What keeping them needs. */
export type KeepPlacesDeps = {
  readonly store: Pick<Store, 'isAway' | 'write'>
  readonly rooms: Rooms
  readonly restore: Restore
  readonly logger: Logger
  /** What is written of each; of channels nothing where they are not kept. */
  readonly texts: RecordTexts
}

/** Keeping them. */
export type PlaceKeeper = Omit<WriteBehind, 'changed'> & {
  /** False until the store has been read for the first time: what it has may be anything. */
  readonly isLoaded: boolean
  /** A room or a channel was made, has changed, or is gone. */
  changed(room: string, channel?: string): void
  compare(stored: Stored): Promise<void>
  check(stored: Stored): Promise<void>
  /** Puts back what the store has of a name that is not known here; `too_many_rooms`, `too_many_channels`. */
  found(kind: 'room' | 'channel', key: string, text: string): void
}

const MOST_WAITING = 100_000
/** So many records are dealt with in one turn of the event loop. */
const RECORDS_IN_TURN = 100

/** Makes the persistence of one server. */
export function createPlaceKeeper({ store, rooms, restore, logger, texts }: KeepPlacesDeps): PlaceKeeper {
  let isLoaded = false
  /** Comparisons under way, or asked for: they go one after the other. */
  let comparisons = 0
  let lastComparison: Promise<unknown> = Promise.resolve()
  /** What ended here while the store was away, or is compared: a record of it that is still there says nothing of what has its name now. */
  const ended = new Set<string>()

  const find = (key: string): Room | Channel | undefined => {
    const [roomName, channelName] = key.split(':') as [string, string?]
    const room = rooms.get(roomName)
    return channelName === undefined ? room : room?.channels.get(channelName)
  }
  const isConfigured = (key: string) => rooms.get(key.split(':')[0]!)?.type === 'system'

  /** The key of a channel is its address, and that of a room its name, which has no colon. */
  const changeOf = (key: string): Change | undefined => {
    // What was kept before the configuration took the name comes back when it lets it go.
    if (isConfigured(key)) return undefined
    const found = find(key)
    if (found !== undefined && 'room' in found) return { kind: 'channel', name: key, text: texts.ofChannel?.(found) }
    if (found !== undefined) return { kind: 'room', name: key, text: texts.ofRoom(found) }
    return { kind: key.includes(':') ? 'channel' : 'room', name: key, text: undefined }
  }
  const behind = createWriteBehind({
    delayMs: 0,
    most: MOST_WAITING,
    isGone: (key) => changeOf(key)?.text === undefined,
    changeOf,
    write: store.write,
  })

  /** All rooms of the store, and their channels where these are kept, in the order in which they were made: lists have that order. */
  const allIn = async (stored: Stored): Promise<{ rooms: Found<RoomRecord>[]; channels: Found<ChannelRecord>[] }> => {
    const found = await recordsIn(stored.rooms(), roomIn)
    const names = found.map(({ record }) => record.name)
    const channels = texts.ofChannel === undefined ? [] : await recordsIn(stored.channels(names), channelIn)
    return { rooms: found, channels }
  }

  /** What is here becomes what the store has. */
  const takeOver = ({ key, text, record }: Found<RoomRecord | ChannelRecord>): void => {
    if (changeOf(key)?.text === text) return
    'room' in record ? restore.channel(record) : restore.room(record)
    if (changeOf(key)?.text === text) behind.unchanged(key)
  }

  /** What was kept is there again; nothing of it may have been made here that is older. */
  const load = async (stored: Stored): Promise<void> => {
    const all = await allIn(stored)
    let missing = 0
    const records = [...all.rooms, ...all.channels]
    for await (const one of byTurns(records)) if (!unlessFull(() => takeOver(one))) missing++
    if (all.rooms.length + all.channels.length === 0) return
    const counts = { rooms: all.rooms.length, channels: all.channels.length, left_out: missing }
    logger.info({ event: 'rooms_restored', ...counts })
  }

  /** Of two that were made under one name one is right for all servers. */
  const takeOverIfTheirs = (one: Found<RoomRecord | ChannelRecord>): void => {
    const here = find(one.key)
    if (here === undefined || isConfigured(one.key) || ended.has(one.key) || !winsOver(one.record, here)) return
    unlessFull(() => takeOver(one))
  }

  /** What the store has under the names of what has changed here. */
  const checkChanged = async (stored: Stored): Promise<void> => {
    const keys = behind.waiting().filter((key) => find(key) !== undefined && !isConfigured(key))
    for (let i = 0; i < keys.length; i += RECORDS_IN_TURN) {
      const some = keys.slice(i, i + RECORDS_IN_TURN)
      const found = await Promise.all(some.map((key) => stored.place(...(key.split(':') as [string, string?]))))
      for (const [at, key] of some.entries()) {
        const isChannel = key.includes(':')
        const text = isChannel ? found[at]!.channel : found[at]!.room
        const record = text === undefined ? undefined : (isChannel ? channelIn : roomIn)(key, text)
        if (text !== undefined && record !== undefined) takeOverIfTheirs({ key, text, record })
      }
    }
  }

  /**
   * What is here is written again where the store has lost it, or has it otherwise. What is not here may be another server's.
   */
  const compareAll = async (stored: Stored): Promise<void> => {
    const all = await allIn(stored)
    const same = new Set<string>()
    for await (const one of byTurns([...all.rooms, ...all.channels])) {
      takeOverIfTheirs(one)
      if (changeOf(one.key)?.text === one.text) same.add(one.key)
    }
    ended.clear()
    const writeUnlessSame = (key: string) => {
      if (!same.has(key)) behind.changed(key)
    }
    for (const room of rooms.all()) {
      if (room.type === 'system') continue
      writeUnlessSame(room.name)
      if (texts.ofChannel === undefined) continue
      for await (const { address } of byTurns(room.channels.values())) writeUnlessSame(address)
    }
  }

  const readers = { room: roomIn, channel: channelIn }

  return {
    ...behind,
    get isAny() {
      return behind.isAny
    },
    get size() {
      return behind.size
    },
    get isLoaded() {
      return isLoaded
    },
    changed(room, channel) {
      if (channel !== undefined && texts.ofChannel === undefined) return
      const key = channel === undefined ? room : `${room}:${channel}`
      if ((store.isAway || comparisons > 0) && ended.size < MOST_WAITING && find(key) === undefined) ended.add(key)
      behind.changed(key)
    },
    async compare(stored) {
      if (isLoaded) {
        comparisons++
        const comparison = lastComparison.then(() => compareAll(stored)).finally(() => comparisons--)
        lastComparison = comparison.catch(() => {})
        return comparison
      }
      await load(stored)
      ended.clear()
      isLoaded = true
    },
    check: checkChanged,
    found(kind, key, text) {
      const record = readers[kind](key, text)
      // What has ended here, and is still to be taken out, is known better here.
      if (record !== undefined && find(key) === undefined && !isConfigured(key) && !behind.has(key))
        takeOver({ key, text, record })
    },
  }
}

type Found<R> = { readonly key: string; readonly record: R; readonly text: string }

/** Gives the items of a collection, so many in one turn of the event loop: with very many records a comparison takes seconds. */
async function* byTurns<T>(all: Iterable<T>): AsyncGenerator<T> {
  let count = 0
  for (const one of all) {
    if (++count % RECORDS_IN_TURN === 0) await new Promise((resolve) => setImmediate(resolve))
    yield one
  }
}

/** All records, the first that was made first. One may come twice. */
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
