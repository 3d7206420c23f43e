/**
 * Rooms and channels that are not here are asked for before they are said not to exist, or are made: another server on the same Redis may have made them, and
 * messages may be stored there.
 */
import { CodedError } from '@arqonbus/protocol'
import type { Rooms } from '../state/rooms.ts'
import type { SavedRooms } from './saved-rooms.ts'
import type { Store } from './store.ts'

/** Looks for rooms and channels. Undefined where there is nothing to wait for; fails with `too_many_rooms` and `too_many_channels` alone. */
export type RecallPlace = {
  /** A room, or one of its channels. */
  one(room: string, channel: string | undefined): Promise<void> | undefined
  /** A room with all of its channels. */
  whole(room: string): Promise<void> | undefined
  /** The store has been compared; `changesElsewhere` are those that are known here, where all of them are. */
  compared(changesElsewhere: number | undefined): void
}

/** What looking needs. */
export type RecallDeps = {
  readonly store: Pick<Store, 'isAway' | 'place' | 'channels' | 'changesElsewhere'>
  readonly rooms: Pick<Rooms, 'get' | 'channel'>
  readonly savedRooms: Pick<SavedRooms, 'found'> & { readonly writes: Pick<SavedRooms['writes'], 'has'> }
}

/** So many rooms are remembered. */
const MOST_KNOWN = 10_000

/** Nothing is being looked for. */
export function createRecall({ store, rooms, savedRooms }: RecallDeps): RecallPlace {
  /** Loads in progress. A second request for the same name waits for the first and continues after it, so that messages to a new channel stay in order. */
  const asked = new Map<string, Promise<void>>()
  /** Up to which change elsewhere everything is known here: of all rooms, and of single ones. */
  let knownOfAll: number | undefined
  const knownOf = new Map<string, number>()

  const isConfigured = (room: string) => rooms.get(room)?.type === 'system'
  const isHere = (room: string, channel: string | undefined) =>
    channel === undefined ? rooms.get(room) !== undefined : rooms.channel(room, channel) !== undefined

  const once = (key: string, ask: () => Promise<void>): Promise<void> => {
    const underWay = asked.get(key)
    if (underWay !== undefined) return underWay
    const answer = unlessAway(ask()).finally(() => asked.delete(key))
    asked.set(key, answer)
    return answer
  }

  const askForOne = async (room: string, channel: string | undefined): Promise<void> => {
    const found = await store.place(room, channel)
    if (found.room !== undefined) savedRooms.found('room', room, found.room)
    if (found.channel !== undefined) savedRooms.found('channel', `${room}:${channel}`, found.channel)
  }

  const askForAll = async (room: string): Promise<void> => {
    // Asked each time: what another server has done a moment ago counts.
    const changes = await store.changesElsewhere()
    if ((knownOf.get(room) ?? knownOfAll) !== changes) await once(`${room}:* ${changes}`, () => walk(room, changes))
  }

  const walk = async (room: string, changes: number): Promise<void> => {
    if (!isHere(room, undefined)) await askForOne(room, undefined)
    for await (const page of store.channels(room)) {
      for (const [address, text] of page) savedRooms.found('channel', address, text)
    }
    if (rooms.get(room) === undefined) return
    if (knownOf.size >= MOST_KNOWN) knownOf.clear()
    knownOf.set(room, changes)
  }

  return {
    one(room, channel) {
      const key = channel === undefined ? room : `${room}:${channel}`
      if (store.isAway || isConfigured(room) || isHere(room, channel) || savedRooms.writes.has(key)) return undefined
      return once(key, () => askForOne(room, channel))
    },
    whole(room) {
      if (store.isAway || isConfigured(room)) return undefined
      return unlessAway(askForAll(room))
    },
    compared(changesElsewhere) {
      knownOfAll = changesElsewhere
      knownOf.clear()
    },
  }
}

/** A store that cannot be asked counts as away from then on: what that means depends on what is wanted. */
const unlessAway = (answer: Promise<void>): Promise<void> =>
  answer.catch((problem) => {
    if (problem instanceof CodedError) throw problem
  })
