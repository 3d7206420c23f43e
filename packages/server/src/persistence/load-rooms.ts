/**
 * Loads rooms and channels that are not in memory, before a request for them fails or creates them: another server on
 * the same Redis may have created them, and messages may be stored there.
 */
import { CodedError } from '@arqonbus/protocol'
import { isHidden } from '../auth/access.ts'
import type { Identity } from '../auth/identity.ts'
import type { Rooms } from '../state/rooms.ts'
import type { SavedRooms } from './saved-rooms.ts'
import type { Store } from './store.ts'

/** What loading needs. */
type RoomLoaderDeps = {
  readonly store: Pick<Store, 'isAway' | 'place' | 'channels' | 'changesElsewhere'>
  readonly rooms: Pick<Rooms, 'get' | 'channel'>
  readonly savedRooms: Pick<SavedRooms, 'found' | 'writes'>
}

/** Rooms of which it is remembered that all their channels are here. */
const MOST_KNOWN = 10_000

/**
 * Creates what loads rooms and channels. A load is undefined where there is nothing to wait for, and fails with
 * `too_many_rooms` and `too_many_channels` alone.
 */
export function createRoomLoader({ store, rooms, savedRooms }: RoomLoaderDeps) {
  /**
   * Loads in progress. A second request for the same name waits for the first and continues after it, so that messages
   * to a new channel stay in order.
   */
  const loads = new Map<string, Promise<void>>()
  /** Up to which change elsewhere everything is known here: of all rooms, and of single ones. */
  let knownOfAll: number | undefined
  const knownOf = new Map<string, number>()

  const isBuiltIn = (room: string) => rooms.get(room)?.builtIn === true
  const isHere = (room: string, channel: string | undefined) =>
    channel === undefined ? rooms.get(room) !== undefined : rooms.channel(room, channel) !== undefined

  const once = (key: string, load: () => Promise<void>): Promise<void> => {
    const underWay = loads.get(key)
    if (underWay !== undefined) return underWay
    const loading = unlessAway(load()).finally(() => loads.delete(key))
    loads.set(key, loading)
    return loading
  }

  const loadOne = async (room: string, channel: string | undefined): Promise<void> => {
    const found = await store.place(room, channel)
    if (found.room !== undefined) savedRooms.found('room', room, found.room)
    if (found.channel !== undefined) savedRooms.found('channel', `${room}:${channel}`, found.channel)
  }

  const loadAll = async (room: string): Promise<void> => {
    // Asked each time: what another server has done a moment ago counts.
    const changes = await store.changesElsewhere()
    if ((knownOf.get(room) ?? knownOfAll) !== changes)
      await once(`${room}:* ${changes}`, () => loadChannels(room, changes))
  }

  const loadChannels = async (room: string, changes: number): Promise<void> => {
    if (!isHere(room, undefined)) await loadOne(room, undefined)
    for await (const page of store.channels(room)) {
      for (const [address, text] of page) savedRooms.found('channel', address, text)
    }
    if (rooms.get(room) === undefined) return
    if (knownOf.size >= MOST_KNOWN) knownOf.clear()
    knownOf.set(room, changes)
  }

  return {
    /**
     * A room, or one of its channels. A channel that answers as if there were none is looked for too: that it is here
     * would show by the time that an answer takes.
     */
    one(room: string, channel: string | undefined, identity?: Identity): Promise<void> | undefined {
      const key = channel === undefined ? room : `${room}:${channel}`
      const found = channel === undefined ? undefined : rooms.channel(room, channel)
      if (!store.isAway && found !== undefined && identity !== undefined && isHidden(identity, found))
        return once(`${key} hidden`, async () => void (await store.place(room, channel)))
      if (store.isAway || isBuiltIn(room) || isHere(room, channel) || savedRooms.writes.pending.has(key))
        return undefined
      return once(key, () => loadOne(room, channel))
    },
    /** A room with all of its channels. */
    whole(room: string): Promise<void> | undefined {
      if (store.isAway || isBuiltIn(room)) return undefined
      return unlessAway(loadAll(room))
    },
    /** The store has been compared; `changesElsewhere` are those that are known here, where all of them are. */
    compared(changesElsewhere: number | undefined): void {
      knownOfAll = changesElsewhere
      knownOf.clear()
    },
  }
}

/** A store that cannot be asked counts as away from then on: what that means depends on what is wanted. */
const unlessAway = (loading: Promise<void>): Promise<void> =>
  loading.catch((problem) => {
    if (problem instanceof CodedError) throw problem
  })
