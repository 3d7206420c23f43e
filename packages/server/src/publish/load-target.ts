/** Where a message goes that goes where nothing is here: what is stored under that name is asked for before it is made. */
import type { ReadEnvelope } from '@arqonbus/protocol'
import type { Keeper } from '../persistence/persistence.ts'
import type { Client } from '../state/model.ts'

/** Asks for the place of a message; undefined where there is nothing to wait for. Fails as `Keeper.recallPlace`. */
export type RecallOf = (client: Client, envelope: ReadEnvelope) => Promise<void> | undefined

/** Asks a keeper. Most clients publish where they published before: to compare two names is cheaper than to look up two. */
export const createRecallOf =
  (keeper: Pick<Keeper, 'recallPlace'>): RecallOf =>
  ({ lastChannel }, { type, room, channel }) => {
    const isKnown = lastChannel?.name === channel && lastChannel.room.name === room && lastChannel.ended === undefined
    return isKnown || type !== 'event' ? undefined : keeper.recallPlace(room, channel)
  }
