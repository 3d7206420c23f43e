/**
 * The checker: reads what every process has seen and says what was promised and not kept. It knows nothing of how the bus works: only what clients were
 * told, and what they got. A pure function, so that it can be tested with histories that are wrong in one place.
 */
import { type Position, parsePosition } from '@arqonbus/protocol'

/** Something that a process did or saw, in the order in which it did; `at` tells the order over all processes, for people. */
export type Seen = { readonly process: string; readonly at?: number } & (
  | {
      readonly f: 'publish'
      /** `unknown` may or may not have happened, but once and in one place. */
      readonly type: 'invoke' | 'ok' | 'fail' | 'unknown'
      readonly channel: string
      readonly id: string
      readonly position?: string
      /** True where the acknowledgement stands in place of the own copy (`echo=false`). */
      readonly inPlace?: boolean
    }
  | { readonly f: 'deliver'; readonly channel: string; readonly id: string; readonly position: string }
  /** From here on what comes after `position` comes: a join without a recovery, or one that went on from there. */
  | { readonly f: 'begin'; readonly channel: string; readonly position: string }
  /** From here on every channel of the room comes, those that are born later from their birth. */
  | { readonly f: 'begin_room'; readonly room: string }
  /** A gap notice. */
  | { readonly f: 'gap'; readonly channel: string; readonly next: string }
  | { readonly f: 'end'; readonly channel: string }
  | { readonly f: 'end_room'; readonly room: string }
  /** The connection ended, and all that was begun with it. */
  | { readonly f: 'lost' }
  /** An entry of the history at the end. */
  | { readonly f: 'history'; readonly channel: string; readonly id: string; readonly position: string }
)

/** The rules, by their numbers in the design. */
export const rules = {
  1: 'an acknowledged message is in the history, at its position',
  2: 'what is acknowledged, or in the history at the end, reaches everybody who stays',
  3: 'the numbers of a channel rise by one',
  4: 'a position names one message',
  5: 'nothing comes twice, and a message has one position',
  6: 'nothing comes that was not sent, was refused, or was not asked for',
  7: 'whoever missed something is told before the next message',
} as const

/** A promise that was not kept. */
export type Violation = {
  readonly rule: keyof typeof rules
  readonly process: string
  readonly channel: string
  readonly text: string
}

/** What the checker has to be told beside what was seen. */
export type CheckOptions = {
  /** Whether a process may read a channel; everybody may read everything unless told. */
  readonly mayRead?: (process: string, channel: string) => boolean
}

/** All violations in a history. What each process saw stands in its order; how processes are mixed does not matter. */
export function check(history: readonly Seen[], options: CheckOptions = {}): Violation[] {
  const { mayRead = () => true } = options
  return [...checkMessages(history), ...checkHistory(history), ...checkReaders(history, mayRead)]
}

/** Rules 4, 5 and 6: what is known of messages, whoever says so. */
function checkMessages(history: readonly Seen[]): Violation[] {
  const violations: Violation[] = []
  const outcomes = new Map<string, Set<string>>()
  for (const seen of history) {
    if (seen.f !== 'publish') continue
    const known = outcomes.get(seen.id) ?? new Set()
    outcomes.set(seen.id, known.add(seen.type))
  }
  const isRefused = (id: string) => {
    const known = outcomes.get(id)!
    return known.has('fail') && !known.has('ok') && !known.has('unknown')
  }
  const idAt = new Map<string, string>()
  const positionOf = new Map<string, string>()
  for (const seen of history) {
    if (!('id' in seen) || seen.position === undefined) continue
    const { process, channel, id, position } = seen
    const violate = (rule: Violation['rule'], text: string) => violations.push({ rule, process, channel, text })
    if (!outcomes.has(id)) violate(6, `${id} at ${position} was never sent`)
    else if (isRefused(id)) violate(6, `${id} at ${position} had been refused`)
    const place = `${channel} ${position}`
    const there = idAt.get(place) ?? id
    if (there !== id) violate(4, `${position} is ${id} and ${there}`)
    idAt.set(place, there)
    const message = `${channel} ${id}`
    const first = positionOf.get(message) ?? position
    if (first !== position) violate(5, `${id} is at ${position} and at ${first}`)
    positionOf.set(message, first)
  }
  return violations
}

/** Rule 1: the history at the end, where one was read. */
function checkHistory(history: readonly Seen[]): Violation[] {
  const kept = new Map<string, { ids: Set<string>; first: Position }>()
  for (const seen of history) {
    if (seen.f !== 'history') continue
    const there = kept.get(seen.channel) ?? { ids: new Set(), first: place(seen.position) }
    kept.set(seen.channel, there)
    there.ids.add(`${seen.id} ${seen.position}`)
    if (isLater(there.first, place(seen.position))) there.first = place(seen.position)
  }
  const violations: Violation[] = []
  for (const { process, channel, id, position } of acknowledged(history)) {
    const there = kept.get(channel)
    if (there === undefined || isLater(there.first, place(position)) || there.ids.has(`${id} ${position}`)) continue
    violations.push({
      rule: 1,
      process,
      channel,
      text: `${id} was acknowledged at ${position} and is not in the history`,
    })
  }
  return violations
}

type Acknowledged = { process: string; channel: string; id: string; position: string; inPlace?: boolean }

const acknowledged = (history: readonly Seen[]): Acknowledged[] =>
  history.filter((seen) => seen.f === 'publish' && seen.type === 'ok' && seen.position !== undefined) as Acknowledged[]

/** Rules 2, 3, 5, 6 and 7: what each process got. */
function checkReaders(history: readonly Seen[], mayRead: NonNullable<CheckOptions['mayRead']>): Violation[] {
  const violations: Violation[] = []
  const all = [...acknowledged(history), ...history.filter((seen) => seen.f === 'history')]
  const byProcess = Map.groupBy(history, ({ process }) => process)
  for (const [process, seen] of byProcess) {
    const reader = readAll(process, seen, violations)
    for (const { channel, id, position } of all) {
      const isOpen = reader.rooms.has(roomOf(channel)) && mayRead(process, channel)
      const last = reader.last.get(channel) ?? (isOpen ? BEFORE_ALL : undefined)
      if (last === undefined || !isLater(place(position), last)) continue
      if (reader.own.get(channel)?.has(place(position).n)) continue
      violations.push({
        rule: 2,
        process,
        channel,
        text: `${id} at ${position} is in the log and never came; the last was ${last.ms}-${last.n}`,
      })
    }
  }
  return violations
}

const BEFORE_ALL: Position = { ms: 0, n: 0 }

/** Where a process stands when everything was read. */
type Reader = {
  /** The last position of each channel that it is given. */
  readonly last: Map<string, Position>
  /** Rooms that it is given as a whole. */
  readonly rooms: Set<string>
  /** Numbers of own messages whose acknowledgement stood in place of the copy. */
  readonly own: Map<string, Set<number>>
}

function readAll(process: string, history: readonly Seen[], violations: Violation[]): Reader {
  const reader: Reader = { last: new Map(), rooms: new Set(), own: new Map() }
  for (const seen of history) {
    switch (seen.f) {
      case 'begin':
        reader.last.set(seen.channel, place(seen.position))
        break
      case 'gap':
        reader.last.set(seen.channel, place(seen.next))
        break
      case 'begin_room':
        reader.rooms.add(seen.room)
        break
      case 'end':
        reader.last.delete(seen.channel)
        break
      case 'end_room':
        reader.rooms.delete(seen.room)
        break
      case 'lost':
        reader.last.clear()
        reader.rooms.clear()
        break
      case 'publish':
        if (seen.type === 'ok' && seen.inPlace && seen.position !== undefined) {
          const numbers = reader.own.get(seen.channel) ?? new Set()
          reader.own.set(seen.channel, numbers.add(place(seen.position).n))
        }
        break
      case 'deliver':
        readOne(process, reader, seen, violations)
        break
    }
  }
  return reader
}

function readOne(
  process: string,
  reader: Reader,
  { channel, id, position }: { channel: string; id: string; position: string },
  violations: Violation[],
): void {
  const violate = (rule: Violation['rule'], text: string) => violations.push({ rule, process, channel, text })
  const at = place(position)
  const last = reader.last.get(channel) ?? (reader.rooms.has(roomOf(channel)) ? BEFORE_ALL : undefined)
  if (last === undefined) return void violate(6, `${id} at ${position} came unasked`)
  const after = `${id} at ${position} came after ${last.ms}-${last.n}`
  if (at.n === last.n && at.ms === last.ms) violate(5, `${id} at ${position} came twice`)
  else if (at.n <= last.n || at.ms < last.ms) violate(3, after)
  else if (!isNext(last.n, at.n, reader.own.get(channel))) {
    violate(3, after)
    violate(7, `nobody was told what is missing: ${after}`)
  }
  if (isLater(at, last)) reader.last.set(channel, at)
}

/** Whether nothing but own messages, acknowledged in place of their copies, stands between. */
function isNext(last: number, n: number, own: ReadonlySet<number> | undefined): boolean {
  for (let between = last + 1; between < n; between++) if (own?.has(between) !== true) return false
  return true
}

/** Later in a channel: a log that comes after another begins at a later time. */
const isLater = (a: Position, b: Position): boolean => a.ms > b.ms || (a.ms === b.ms && a.n > b.n)

const roomOf = (channel: string): string => channel.slice(0, channel.indexOf(':'))

function place(position: string): Position {
  const at = parsePosition(position)
  if (at === undefined) throw new Error(`${position} is no position`)
  return at
}

/** Violations for people. */
export const violationsText = (violations: readonly Violation[]): string =>
  violations
    .map(({ rule, process, channel, text }) => `rule ${rule} (${rules[rule]}): ${process} in ${channel}: ${text}`)
    .join('\n')
