/** What the store has of rooms and channels: written behind what happens here, and put back when the store comes for the first time. */
import type { Logger } from '../../kit/logger.ts'
import type { Channel, Room } from '../../state/model.ts'
import type { Rooms } from '../../state/rooms.ts'
import { type Behind, createBehind } from '../../store/behind.ts'
import type { Change, Store, Stored } from '../../store/contract.ts'
import { channelIn, channelText, roomIn, roomText } from '../../store/records.ts'
import type { PutBack } from './put-back.ts'

/** What keeping them needs. */
export type KeepPlacesDeps = {
  readonly store: Store
  readonly rooms: Rooms
  readonly putBack: PutBack
  readonly logger: Logger
  /** Channels too, or rooms alone. */
  readonly isChannels: boolean
}

/** Keeping them. */
export type PlaceKeeper = Pick<Behind, 'settled' | 'ready' | 'away'> & {
  /** A room or a channel was made, has changed, or is gone. */
  changed(room: string, channel?: string): void
  compare(stored: Stored): Promise<void>
}

const MOST_WAITING = 100_000

/** Makes it. */
export function createPlaceKeeper({ store, rooms, putBack, logger, isChannels }: KeepPlacesDeps): PlaceKeeper {
  let isLoaded = false
  const kinds: ('room' | 'channel')[] = isChannels ? ['room', 'channel'] : ['room']

  /** A channel goes by its address, and a room by its name, which has no colon. */
  const changeOf = (key: string): Change | undefined => {
    const [roomName, channelName] = key.split(':') as [string, string?]
    const room = rooms.get(roomName)
    // What was kept before the configuration took the name comes back when it lets it go.
    if (room?.type === 'system') return undefined
    if (channelName === undefined) return { kind: 'room', name: key, text: room && textOfRoom(room) }
    const channel = room?.channels.get(channelName)
    return { kind: 'channel', name: key, text: channel && textOfChannel(channel) }
  }
  const behind = createBehind({
    delayMs: 0,
    most: MOST_WAITING,
    isGone: (key) => changeOf(key)?.text === undefined,
    changeOf,
    write: store.write,
  })

  /** What was kept is there again; nothing of it may have been made here that is older. */
  const load = async (stored: Stored): Promise<void> => {
    const records = { room: await recordsOf(stored, 'room', roomIn), channel: [] as Found<typeof channelIn>[] }
    if (isChannels) records.channel = await recordsOf(stored, 'channel', channelIn)
    let missing = 0
    // In the order in which they were made: lists go by it.
    const byTime = (a: { createdAt: number }, b: { createdAt: number }) => a.createdAt - b.createdAt
    const isNew = (key: string, text: string) => changeOf(key)?.text !== text
    for (const { record, text } of records.room.toSorted((a, b) => byTime(a.record, b.record))) {
      if (isNew(record.name, text) && !putBack.room(record)) missing++
    }
    for (const { record, text } of records.channel.toSorted((a, b) => byTime(a.record, b.record))) {
      if (isNew(`${record.room}:${record.name}`, text) && !putBack.channel(record)) missing++
    }
    if (records.room.length + records.channel.length === 0) return
    logger.info({
      event: 'rooms_put_back',
      rooms: records.room.length,
      channels: records.channel.length,
      left_out: missing,
    })
  }

  /** What is here is right: what the store has lost, or has otherwise, is written again. What is not here may be another node's. */
  const writeWhatDiffers = async (stored: Stored): Promise<void> => {
    const same = new Set<string>()
    for (const kind of kinds) {
      for await (const page of stored.all(kind)) {
        for (const [key, text] of page) if (changeOf(key)?.text === text) same.add(key)
      }
    }
    const compare = (key: string) => {
      if (!same.has(key)) behind.changed(key)
    }
    for (const room of rooms.all()) {
      if (room.type === 'system') continue
      compare(room.name)
      if (isChannels) for (const channel of room.channels.values()) compare(channel.address)
    }
  }

  return {
    ...behind,
    changed(room, channel) {
      if (channel === undefined) behind.changed(room)
      else if (isChannels) behind.changed(`${room}:${channel}`)
    },
    async compare(stored) {
      if (isLoaded) return writeWhatDiffers(stored)
      await load(stored)
      isLoaded = true
    },
  }
}

const textOfRoom = ({ name, type, state, createdAt, createdBy, config }: Room): string | undefined =>
  type === 'system' ? undefined : roomText({ name, type, state, createdAt, createdBy, config })

function textOfChannel(channel: Channel): string | undefined {
  const { room, name, type, createdAt, createdBy, metadata, options, autoCreated } = channel
  if (type !== 'general' && type !== 'private') return undefined
  return channelText({ room: room.name, name, type, createdAt, createdBy, metadata, options, autoCreated })
}

type Found<Read extends (key: string, text: string) => unknown> = {
  readonly record: Exclude<ReturnType<Read>, undefined>
  readonly text: string
}

/** All records of a kind. One may come twice. */
async function recordsOf<Read extends (key: string, text: string) => unknown>(
  stored: Stored,
  kind: 'room' | 'channel',
  read: Read,
): Promise<Found<Read>[]> {
  const found = new Map<string, Found<Read>>()
  for await (const page of stored.all(kind)) {
    for (const [key, text] of page) {
      const record = read(key, text) as Found<Read>['record'] | undefined
      if (record !== undefined) found.set(key, { record, text })
    }
  }
  return [...found.values()]
}
