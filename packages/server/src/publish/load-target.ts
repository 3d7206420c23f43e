/** Where a message goes that goes where nothing is here: what is stored under that name is asked for before it is made. */
import type { ParsedEnvelope } from '@arqonbus/protocol'
import type { Persistence } from '../persistence/persistence.ts'
import type { Client } from '../state/model.ts'

/** Asks for the place of a message; undefined where there is nothing to wait for. Fails as `Keeper.recallPlace`. */
export type RecallOf = (client: Client, envelope: ParsedEnvelope) => Promise<void> | undefined

/** Asks a persistence. Most clients publish where they published before: to compare two names is cheaper than to look up two. */
export const createRecallOf =
  (persistence: Pick<Persistence, 'recallPlace'>): RecallOf =>
  ({ lastChannel }, { type, room, channel }) => {
    const isKnown = lastChannel?.name === channel && lastChannel.room.name === room && lastChannel.ended === undefined
    return isKnown || type !== 'event' ? undefined : persistence.recallPlace(room, channel)
  }
