/** Pages of the members of a place: those with a subscription first, oldest connection first, then the others. */
import { CodedError } from '@arqonbus/protocol'
import type { Client } from '../state/model.ts'
import { type Absent, memberText } from './member.ts'
import { joinedIn, type Place } from './place.ts'
import type { Statuses } from './statuses.ts'
import type { WatchedPlace } from './watched-place.ts'

/** What listing needs. */
type ListDeps = {
  readonly statuses: Statuses
  /** The connected clients, oldest first, beginning behind the one with this number. */
  readonly clientsAfter: (seq: number) => Iterable<Client>
}

/** Which part of a list. */
type PageQuery = {
  readonly cursor?: string | undefined
  readonly limit?: number | undefined
  readonly maxBytes: number
}

/** Members as JSON, and where the next page begins. */
export type MembersPage = { readonly texts: readonly string[]; readonly cursor: string | undefined }

/** The members of a place that is not watched are found among its clients alone. */
export type MembersOf = Pick<WatchedPlace, 'place' | 'isShown'> & { readonly absent: ReadonlyMap<string, Absent> }

/** Up to this number members are sorted; for more, searching all clients takes less time. */
const FEW = 500
/** A page looks at so many clients and no more. */
const MOST_STEPS = 4000

/** A page of members. */
export function listMembers(deps: ListDeps, of: MembersOf, { cursor, limit = 1000, maxBytes }: PageQuery): MembersPage {
  const from = readCursor(cursor)
  const texts: string[] = []
  let bytes = 0
  let looked = 0
  const fits = (text: string): boolean => {
    bytes += Buffer.byteLength(text) + 1
    if (texts.length >= limit || bytes > maxBytes) return false
    texts.push(text)
    return true
  }
  if (from.part === 'c') {
    let last = from.after
    for (const client of clientsAfter(deps, of.place, from.after)) {
      if (looked++ >= MOST_STEPS) return { texts, cursor: cursorText('c', last) }
      if (of.isShown(client) && !fits(memberText(client, of.place, deps.statuses)))
        return { texts, cursor: cursorText('c', last) }
      last = client.seq
    }
  }
  let last = from.part === 'a' ? from.after : 0
  for (const absent of of.absent.values()) {
    if (absent.number <= last) continue
    if (!fits(memberText(absent, of.place, deps.statuses))) return { texts, cursor: cursorText('a', last) }
    last = absent.number
  }
  return { texts, cursor: undefined }
}

function clientsAfter({ clientsAfter }: ListDeps, place: Place, seq: number): Iterable<Client> {
  const joined = joinedIn(place)
  if (joined.size > FEW) return clientsAfter(seq)
  return Array.from(joined.keys())
    .filter((client) => client.seq > seq)
    .sort((a, b) => a.seq - b.seq)
}

type Part = 'c' | 'a'

const cursorText = (part: Part, after: number): string => `${part}${after.toString(36)}`

/** A cursor: which of the two parts, and the number of the last member before the page. */
function readCursor(cursor = 'c0'): { readonly part: Part; readonly after: number } {
  const after = /^[ca][0-9a-z]{1,11}$/.test(cursor) ? Number.parseInt(cursor.slice(1), 36) : Number.NaN
  if (!Number.isSafeInteger(after))
    throw new CodedError('invalid_parameters', { path: '/parameters/cursor', expected: 'a cursor of a page before' })
  return { part: cursor[0] as Part, after }
}
