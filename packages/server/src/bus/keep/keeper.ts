/** Keeping what outlives the process beside messages: rooms, channels and sessions, each where it is asked for. */
import { CodedError } from '@arqonbus/protocol'
import { type Maybe, then } from '../../kit/maybe.ts'
import type { Client } from '../../state/model.ts'
import { createPlaceKeeper, type KeepPlacesDeps } from './places.ts'
import { createSessionKeeper, type KeepSessionsDeps } from './sessions.ts'

/** What keeping needs. */
export type KeepDeps = Omit<KeepPlacesDeps, 'isChannels'> &
  KeepSessionsDeps & {
    /** What is kept; who keeps channels keeps their rooms. */
    readonly persist: readonly ('messages' | 'rooms' | 'channels' | 'sessions')[]
    /** `strict`: what cannot be stored is refused. `degrade`: it works, and is stored later. */
    readonly storageMode: 'degrade' | 'strict'
  }

/** Keeping. */
export type Keeper = {
  placeChanged(room: string, channel?: string): void
  sessionChanged(clientId: string): void
  /** A client has another subscription, or one less. */
  subscribed(client: Client): void
  /** The session that a client brings is asked for where it is not here; undefined where there is nothing to wait for. Never fails. */
  recall(clientId: string | undefined, secret: string | undefined): Promise<void> | undefined
  /** Before a command changes rooms or channels: `storage_unavailable` where that could not be stored, and has to be. */
  check(): void
  /** Ends when what has changed of rooms and channels is stored, or is to be stored later; `outcome_unknown` where that will not do. */
  settled(): Maybe<void>
  sweep(now: number): void
  /** Writes what is left, for at most so long. */
  close(withinMs: number): Promise<void>
}

/** When to try again while the store is away. */
const RETRY_AFTER_MS = 1000

/** Makes it; it uses the store. */
export function createKeeper(deps: KeepDeps): Keeper {
  const { store, persist } = deps
  const isChannels = persist.includes('channels')
  const places = isChannels || persist.includes('rooms') ? createPlaceKeeper({ ...deps, isChannels }) : undefined
  const sessions = persist.includes('sessions') ? createSessionKeeper(deps) : undefined
  const isStrict = deps.storageMode === 'strict' && places !== undefined

  store.use({
    async compare(stored) {
      await places?.compare(stored)
      await sessions?.compare(stored)
    },
    ready() {
      places?.ready()
      sessions?.ready()
    },
    away() {
      places?.away()
      sessions?.away()
    },
  })

  return {
    placeChanged: (room, channel) => places?.changed(room, channel),
    sessionChanged: (clientId) => sessions?.changed(clientId),
    subscribed: (client) => sessions?.subscribed(client),
    recall: (clientId, secret) =>
      clientId === undefined || secret === undefined ? undefined : sessions?.recall(clientId, secret),
    check() {
      if (isStrict && store.isAway) throw new CodedError('storage_unavailable', undefined, RETRY_AFTER_MS)
    },
    settled: () =>
      then(places?.settled() ?? true, (isStored) => {
        if (!isStored && isStrict) throw new CodedError('outcome_unknown', undefined, RETRY_AFTER_MS)
      }),
    sweep: (now) => sessions?.sweep(now),
    async close(withinMs) {
      const written = Promise.all([places?.settled(), sessions?.settled()])
      let timer: ReturnType<typeof setTimeout> | undefined
      await Promise.race([
        written,
        new Promise((resolve) => {
          timer = setTimeout(resolve, withinMs)
        }),
      ])
      clearTimeout(timer)
    },
  }
}
