/** Creates what keeps rooms, channels and sessions across restarts, where the configuration asks for it. */
import { createPersistence, type Persistence } from '../persistence/persistence.ts'
import { createRestore } from '../persistence/restore.ts'
import type { Core } from './core.ts'
import type { Outbound } from './outbound.ts'
import type { State } from './state.ts'
import type { Storage } from './storage.ts'

/** Creates the persistence of a server; undefined where no rooms, channels and sessions are stored. */
export function createSavedState(
  { config, logger, observers }: Core,
  storage: Storage,
  state: State,
  { subscriptions, endings }: Outbound,
): Persistence | undefined {
  if (storage.store === undefined) return undefined
  const persistence = createPersistence({
    ...config,
    ...state,
    store: storage.store,
    clock: storage.clock,
    logger,
    hasInbox: (session) => state.inboxes.get(session) !== undefined,
    restore: createRestore({ rooms: state.rooms, subscriptions, endings, created: observers.channelAdded }),
  })
  observers.add({
    roomChanged: persistence.roomChanged,
    sessionChanged: persistence.sessionChanged,
    joined: persistence.subscribed,
    left: persistence.subscribed,
    subscriptionChanged: persistence.subscribed,
  })
  return persistence
}
