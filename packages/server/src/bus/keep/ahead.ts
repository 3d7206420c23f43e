/** What a log belongs to is stored ahead of its messages: what is acknowledged is found again, whenever the server is killed. */
import { ownerOf } from '../../state/log-names.ts'
import type { Behind } from '../../store/behind.ts'

type Written = Pick<Behind, 'isAny' | 'ahead'>

/** Writes what these logs belong to, see `Store`. */
export function createAhead(places: Written | undefined, sessions: Written | undefined) {
  return (logs: Iterable<string>): Promise<ReadonlySet<string>> | undefined => {
    // Most messages go where everything is stored.
    if (!places?.isAny && !sessions?.isAny) return undefined
    const needed = Array.from(logs, (log) => ({ log, of: ownerOf(log) }))
    const ofPlaces = places?.ahead(needed.flatMap(({ of }) => of.places))
    const ofSessions = sessions?.ahead(needed.flatMap(({ of }) => of.sessions))
    if (ofPlaces === undefined && ofSessions === undefined) return undefined
    return Promise.all([ofPlaces, ofSessions]).then(([lostPlaces, lostSessions]) => {
      const isLost = ({ of }: (typeof needed)[number]) =>
        of.places.some((key) => lostPlaces?.has(key)) || of.sessions.some((id) => lostSessions?.has(id))
      return new Set(needed.filter(isLost).map(({ log }) => log))
    })
  }
}
