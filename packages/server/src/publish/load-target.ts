/** Loads the target of a message that is not in memory but may be stored, before it is created. */
import type { ParsedEnvelope } from '@arqonbus/protocol'
import type { Persistence } from '../persistence/persistence.ts'
import type { Client } from '../state/model.ts'

/** Loads the room or channel of a message; undefined if there is nothing to wait for. Fails as `recallPlace` of `Persistence`. */
export type RecallOf = (client: Client, envelope: ParsedEnvelope) => Promise<void> | undefined

/** Creates it. Most clients publish where they published before: comparing two names is cheaper than looking up two. */
export const createRecallOf =
  (persistence: Pick<Persistence, 'recallPlace'>): RecallOf =>
  ({ lastChannel }, { type, room, channel }) => {
    const isKnown = lastChannel?.name === channel && lastChannel.room.name === room && lastChannel.ended === undefined
    return isKnown || type !== 'event' ? undefined : persistence.recallPlace(room, channel)
  }
