/**
 * Saves what survives a restart in addition to messages: rooms, channels and sessions, each as far as the configuration
 * asks for it.
 */
import { CodedError, WHOLE_ROOM } from '@arqonbus/protocol'
import type { Identity } from '../auth/identity.ts'
import { chain, type Maybe } from '../kit/maybe.ts'
import { AWAY_RETRY_AFTER_MS, awayError } from '../log/refusals.ts'
import type { Client } from '../state/model.ts'
import { createRoomLoader } from './load-rooms.ts'
import { type Persisted, recordTexts } from './room-records.ts'
import { SavedRooms, type SavedRoomsDeps } from './saved-rooms.ts'
import { SavedSessions, type SavedSessionsDeps } from './saved-sessions.ts'
import type { Store } from './store.ts'
import { createAhead } from './store-ahead.ts'

/** What persistence needs. */
export type PersistenceDeps = Omit<SavedRoomsDeps, 'texts' | 'store'> &
  Omit<SavedSessionsDeps, 'store' | 'isWhole'> & {
    readonly store: Store
    /** What is kept. What is not listed is kept as far as it is needed to find stored messages. */
    readonly persist: Persisted
    /** `strict`: what cannot be stored is refused. `degrade`: it works, and is stored later. */
    readonly storageMode: 'degrade' | 'strict'
  }

/** Persistence. */
export type Persistence = {
  roomChanged(room: string, channel?: string): void
  /** `isNew`: it has begun. */
  sessionChanged(clientId: string, isNew?: boolean): void
  /** A client has another subscription, or one less. */
  subscribed(client: Client): void
  /**
   * Loads the session that a client names, where it is not in memory; undefined where there is nothing to wait for.
   * Resolves to a function that restores it, or to undefined where there is no such session. Fails with
   * `storage_unavailable` if that is not known.
   */
  loadSession(clientId: string | undefined, secret: string | undefined): Promise<(() => void) | undefined> | undefined
  /**
   * Loads a channel, or a room for `*`, where it is not in memory; undefined where there is nothing to wait for. Fails
   * with `too_many_rooms` and `too_many_channels` alone. For an identity that may not know a channel it takes as long as
   * if that were not in memory.
   */
  loadTarget(room: string, channel: string, identity?: Identity): Promise<void> | undefined
  /** Loads a room and all of its channels; undefined and errors as those of `loadTarget`. */
  loadRoom(room: string): Promise<void> | undefined
  /** True where a room or a channel that is not here may be in a store that cannot be asked now. */
  isUnsure(): boolean
  /** True where a session that is not in memory may be in a store that cannot be asked now. */
  isUnsureOfSessions(): boolean
  /**
   * Before a command changes rooms or channels: `storage_unavailable` where that could not be stored, and has to be.
   */
  check(): void
  /**
   * Before a private channel is made: `storage_unavailable` while it is not known whether an open channel of its name
   * is stored.
   */
  checkPrivate(): void
  /**
   * Ends when what has changed of rooms and channels is stored, or is to be stored later; `outcome_unknown` where that
   * will not do.
   */
  settled(): Maybe<void>
  /** False while a room or a channel is not stored as it is now. */
  areRoomsStored(): boolean
  /** How many rooms, channels and sessions are not stored as they are now. */
  unstored(): number
  sweep(now: number): void
  /** Ends when everything is stored, and at the latest after so long. */
  close(withinMs: number): Promise<void>
}

/** Creates the persistence of one server, and makes it the user of the store. */
export function createPersistence(deps: PersistenceDeps): Persistence {
  const { store, persist } = deps
  const texts = recordTexts(persist)
  const savedRooms = texts && new SavedRooms({ ...deps, texts })
  const isWhole = persist.includes('sessions')
  const isAnySaved = isWhole || persist.includes('messages')
  const sessions = isAnySaved ? new SavedSessions({ ...deps, isWhole }) : undefined
  const writes = [savedRooms, sessions].flatMap((saved) => saved?.writes ?? [])
  const loader = savedRooms && createRoomLoader({ ...deps, savedRooms })
  const isStrict = deps.storageMode === 'strict' && savedRooms !== undefined

  store.use({
    async compare(stored) {
      const wasLoaded = savedRooms?.isLoaded === true
      const changes = await stored.changesElsewhere()
      await savedRooms?.compare(stored)
      // Later comparisons put back nothing that is not here.
      loader?.compared(wasLoaded ? undefined : changes)
      await sessions?.compare(stored)
    },
    async check(stored) {
      loader?.compared(undefined)
      await savedRooms?.check(stored)
    },
    ready() {
      for (const one of writes) one.ready()
    },
    away() {
      for (const one of writes) one.away()
    },
    ahead: createAhead(savedRooms?.writes, sessions?.writes),
  })

  return {
    roomChanged: (room, channel) => savedRooms?.changed(room, channel),
    sessionChanged: (clientId, isNew) => sessions?.changed(clientId, isNew),
    subscribed: (client) => sessions?.subscribed(client),
    loadSession: (clientId, secret) =>
      clientId === undefined || secret === undefined ? undefined : sessions?.load(clientId, secret),
    loadTarget: (room, channel, identity) => loader?.one(room, channel === WHOLE_ROOM ? undefined : channel, identity),
    loadRoom: (room) => loader?.whole(room),
    isUnsure: () => savedRooms !== undefined && store.isAway,
    isUnsureOfSessions: () => sessions !== undefined && store.isAway,
    check() {
      if (isStrict && store.isAway) throw awayError()
    },
    checkPrivate() {
      if (savedRooms?.isLoaded === false) throw awayError()
    },
    settled: () =>
      chain(savedRooms?.writes.flushed() ?? true, (isStored) => {
        if (!isStored && isStrict) throw new CodedError('outcome_unknown', undefined, AWAY_RETRY_AFTER_MS)
      }),
    areRoomsStored: () => savedRooms?.writes.pending.isAny !== true,
    unstored: () => writes.reduce((sum, { pending }) => sum + pending.size, 0),
    sweep: (now) => sessions?.sweep(now),
    async close(withinMs) {
      const written = Promise.all(writes.map((one) => one.flushed()))
      const late = Promise.withResolvers<void>()
      const timer = setTimeout(late.resolve, withinMs)
      await Promise.race([written, late.promise])
      clearTimeout(timer)
    },
  }
}
