/**
 * Loads the channel of a message that is not in memory: a channel of its name may be stored, and is loaded before a new
 * one is created. Of a private message it is the room, which has to exist.
 */
import { type ParsedEnvelope, WHOLE_ROOM } from '@arqonbus/protocol'
import { coverage, granted } from '../auth/access.ts'
import type { Persistence } from '../persistence/persistence.ts'
import type { Client } from '../state/model.ts'

/** Loads the target of a message; undefined where there is nothing to wait for. Fails as `Persistence.loadTarget`. */
export type LoadTarget = (client: Client, envelope: ParsedEnvelope) => Promise<void> | undefined

/**
 * Creates the function that loads targets. Most clients publish where they published before: comparing two names costs
 * less than looking up two.
 */
export const createLoadTarget =
  (persistence: Pick<Persistence, 'loadTarget'>): LoadTarget =>
  ({ lastChannel, identity }, { type, room, channel }) => {
    if (lastChannel?.name === channel && lastChannel.room.name === room && lastChannel.ended === undefined)
      return undefined
    // What will be refused is not looked for.
    const isGranted =
      type === 'event' ? granted(identity, 'publish', room, channel) : coverage(identity, 'join', room) !== 'none'
    return isGranted ? persistence.loadTarget(room, type === 'event' ? channel : WHOLE_ROOM, identity) : undefined
  }
