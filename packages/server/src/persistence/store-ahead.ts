/**
 * What a log belongs to is stored ahead of its messages: what is acknowledged is found again, whenever the server is
 * killed.
 */
import { ownerOf } from '../state/log-names.ts'
import type { Change, RecordStoreUser } from './store.ts'
import type { WriteBehind } from './write-behind.ts'

type Written = Pick<WriteBehind, 'pending' | 'ahead'>

/** Writes what logs belong to. */
export const createAhead =
  (savedRooms: Written | undefined, sessions: Written | undefined): RecordStoreUser['ahead'] =>
  (logs) => {
    // Most messages go where everything is stored.
    if (!savedRooms?.pending.isAny && !sessions?.pending.isAny) return undefined
    const all = Array.from(logs, (log) => ({ log, of: ownerOf(log) }))
    const ofRooms = savedRooms?.ahead(all.flatMap(({ of }) => of.rooms))
    const ofSessions = sessions?.ahead(all.flatMap(({ of }) => of.sessions))
    const needed = new Map<string, Change[]>()
    for (const { log, of } of all) {
      const changes = [
        ...of.rooms.flatMap((key) => ofRooms?.get(key) ?? []),
        ...of.sessions.flatMap((id) => ofSessions?.get(id) ?? []),
      ]
      if (changes.length > 0) needed.set(log, changes)
    }
    return needed.size === 0 ? undefined : needed
  }
