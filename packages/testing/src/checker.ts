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
      /** The level that the acknowledgement names. */
      readonly durability?: string
      /** True where no copy comes to the sender (`echo=false`): the acknowledgement stands in its place, or nothing where the outcome is not known. */
      readonly inPlace?: boolean
    }
  /** A provisional copy has no position; its message comes no second time to an application above an SDK. */
  | { readonly f: 'deliver'; readonly channel: string; readonly id: string; readonly position?: string }
  /** From here on what comes after `position` comes: a join without a recovery, or one that went on from there. */
  | { readonly f: 'begin'; readonly channel: string; readonly position: string }
  /** From here on every channel of the room comes, those that are born later from their birth. */
  | { readonly f: 'begin_room'; readonly room: string }
  /** A gap notice, or a join that could not recover: what comes next is what follows `next`. `after` is what the process has, where it said so. */
  | { readonly f: 'gap'; readonly channel: string; readonly after?: string; readonly next: string }
  /** The channel was deleted: what comes next is the first message of another one. */
  | { readonly f: 'deleted'; readonly channel: string; readonly last: string }
  | { readonly f: 'end'; readonly channel: string }
  | { readonly f: 'end_room'; readonly room: string }
  /** The connection ended, and all that was begun with it. */
  | { readonly f: 'lost' }
  /** An entry of a log that was lost with it. */
  | { readonly f: 'stood'; readonly channel: string; readonly id: string; readonly position: string }
  /** The history of a channel was read to its end. */
  | { readonly f: 'read'; readonly channel: string }
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
  8: 'a gap is where something may have been missed',
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
  /** Whether an acknowledgement is one that survives what happened; they all do unless told. What does not is only held to what the history says. */
  readonly isKept?: (acknowledgement: Acknowledged) => boolean
  /** True where nothing can have expired: then the history begins with the first message that was acknowledged. */
  readonly isWhole?: boolean
  /**
   * True where the log may have lost what it had: a message that was sent again may then have another position than the one that it was first heard
   * of at, if nothing of that one is left.
   */
  readonly mayLose?: boolean
}

/** All violations in a history. What each process saw stands in its order; how processes are mixed does not matter. */
export function check(history: readonly Seen[], options: CheckOptions = {}): Violation[] {
  const { mayRead = () => true, isKept = () => true, isWhole = false, mayLose = false } = options
  const kept = acknowledged(history).filter(isKept)
  return [
    ...checkMessages(history, mayLose),
    ...checkHistory(history, kept, isWhole),
    ...checkReaders(history, kept, { mayRead, mayLose }),
  ]
}

/** Rules 4, 5 and 6: what is known of messages, whoever says so. */
function checkMessages(history: readonly Seen[], mayLose: boolean): Violation[] {
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
  const isLeft = new Set(
    history.flatMap((seen) => (seen.f === 'history' ? [`${seen.channel} ${seen.id} ${seen.position}`] : [])),
  )
  const idAt = new Map<string, string>()
  const positionOf = new Map<string, string>()
  for (const seen of history) {
    if (!('id' in seen)) continue
    const { process, channel, id, position } = seen
    if (position === undefined && seen.f !== 'deliver') continue
    const violate = (rule: Violation['rule'], text: string) => violations.push({ rule, process, channel, text })
    const at = position ?? 'no position'
    if (!outcomes.has(id)) violate(6, `${id} at ${at} was never sent`)
    else if (isRefused(id)) violate(6, `${id} at ${at} had been refused`)
    if (position === undefined) continue
    const place = `${channel} ${position}`
    const there = idAt.get(place) ?? id
    if (there !== id) violate(4, `${position} is ${id} and ${there}`)
    idAt.set(place, there)
    const message = `${channel} ${id}`
    const first = positionOf.get(message) ?? position
    const isOneLost = mayLose && !(isLeft.has(`${message} ${first}`) && isLeft.has(`${message} ${position}`))
    if (first !== position && !isOneLost) violate(5, `${id} is at ${position} and at ${first}`)
    positionOf.set(message, first)
  }
  return violations
}

/** Rule 1: the histories at the end, where they were read: then those of all channels in which anything was acknowledged. */
function checkHistory(
  history: readonly Seen[],
  acknowledgements: readonly Acknowledged[],
  isWhole: boolean,
): Violation[] {
  const kept = new Map<string, { ids: Set<string>; first: Position | undefined }>()
  for (const seen of history) {
    if (seen.f !== 'history' && seen.f !== 'read') continue
    const there = kept.get(seen.channel) ?? { ids: new Set(), first: undefined }
    kept.set(seen.channel, there)
    if (seen.f === 'read') continue
    there.ids.add(`${seen.id} ${seen.position}`)
    if (there.first === undefined || isLater(there.first, place(seen.position))) there.first = place(seen.position)
  }
  if (kept.size === 0) return []
  const violations: Violation[] = []
  for (const { process, channel, id, position } of acknowledgements) {
    const there = kept.get(channel)
    const isExpired = !isWhole && there?.first !== undefined && isLater(there.first, place(position))
    if (isExpired || there?.ids.has(`${id} ${position}`)) continue
    const why = there === undefined ? 'the history of its channel was not read' : 'is not in the history'
    violations.push({ rule: 1, process, channel, text: `${id} was acknowledged at ${position} and ${why}` })
  }
  return violations
}

/** A publish that the log took. */
export type Acknowledged = Extract<Seen, { f: 'publish' }> & { readonly position: string }

const acknowledged = (history: readonly Seen[]): Acknowledged[] =>
  history.filter((seen) => seen.f === 'publish' && seen.type === 'ok' && seen.position !== undefined) as Acknowledged[]

/** Rules 2, 3, 5, 6 and 7: what each process got. */
function checkReaders(
  history: readonly Seen[],
  acknowledgements: readonly Acknowledged[],
  { mayRead, mayLose }: Required<Pick<CheckOptions, 'mayRead' | 'mayLose'>>,
): Violation[] {
  const violations: Violation[] = []
  const inHistory = history.filter((seen) => seen.f === 'history')
  const all = Map.groupBy([...acknowledgements, ...inHistory], ({ channel }) => channel)
  // Also in a log that has been lost since: whoever has had the message gets no copy of that place either.
  const stood = history.filter((seen) => seen.f === 'stood')
  const placed = Map.groupBy(
    [...inHistory, ...stood, ...acknowledged(history)],
    ({ channel, id }) => `${channel} ${id}`,
  )
  const atNumber = positionsByNumber(history)
  const byProcess = Map.groupBy(history, ({ process }) => process)
  for (const [process, seen] of byProcess) {
    const reader = readAll(process, seen, { placed, atNumber, mayLose }, violations)
    for (const [channel, messages] of all) {
      const isOpen = reader.rooms.has(roomOf(channel)) && mayRead(process, channel)
      const last = reader.last.get(channel) ?? (isOpen ? BEFORE_ALL : undefined)
      if (last === undefined) continue
      for (const { id, position } of messages) {
        if (!isLater(place(position), last) || reader.had.has(`${channel} ${position}`)) continue
        violations.push({
          rule: 2,
          process,
          channel,
          text: `${id} at ${position} is in the log and never came; the last was ${last.ms}-${last.n}`,
        })
      }
    }
  }
  return violations
}

/** What all processes together know of positions. */
type Known = {
  /** Where messages are, or were: by channel and id. */
  readonly placed: ReadonlyMap<string, readonly { readonly position: string }[]>
  /** Positions by channel and number: logs that came one after the other may have the same numbers. */
  readonly atNumber: ReadonlyMap<string, readonly string[]>
  /** True where logs may have lost something. */
  readonly mayLose: boolean
}

function positionsByNumber(history: readonly Seen[]): Known['atNumber'] {
  const byNumber = new Map<string, Set<string>>()
  for (const seen of history) {
    if (!('id' in seen) || seen.position === undefined) continue
    const key = `${seen.channel} ${place(seen.position).n}`
    byNumber.set(key, (byNumber.get(key) ?? new Set()).add(seen.position))
  }
  return new Map(Array.from(byNumber, ([key, positions]) => [key, [...positions]]))
}

const BEFORE_ALL: Position = { ms: 0, n: 0 }

/** Where a process stands when everything was read. */
type Reader = {
  /** The last position of each channel that it is given. */
  readonly last: Map<string, Position>
  /** Rooms that it is given as a whole. */
  readonly rooms: Set<string>
  /**
   * Channels with positions of which it has the message, so that no copy comes (again): what it was given, there or at another position, and its own messages
   * whose acknowledgement stands for the copy.
   */
  readonly had: Set<string>
  /** Messages that came as provisional copies. */
  readonly provisional: Set<string>
  /** Channels of which it has asked for messages again that it may have had. */
  readonly again: Set<string>
  /** Channels that were deleted, and of whose next one nothing has come yet. */
  readonly deleted: Set<string>
}

function readAll(
  process: string,
  history: readonly Seen[],
  { placed, atNumber, mayLose }: Known,
  violations: Violation[],
): Reader {
  const reader: Reader = {
    last: new Map(),
    rooms: new Set(),
    had: new Set(),
    provisional: new Set(),
    again: new Set(),
    deleted: new Set(),
  }
  for (const seen of history) {
    switch (seen.f) {
      case 'begin': {
        const before = reader.last.get(seen.channel)
        if (before !== undefined && isLater(before, place(seen.position))) reader.again.add(seen.channel)
        reader.last.set(seen.channel, place(seen.position))
        break
      }
      case 'gap':
        if (!mayLose && !mayMiss(reader, seen, atNumber)) {
          const text = `a gap before ${seen.next}, and nothing was missing`
          violations.push({ rule: 8, process, channel: seen.channel, text })
        }
        reader.last.set(seen.channel, place(seen.next))
        break
      case 'deleted':
        reader.last.set(seen.channel, place(seen.last))
        reader.deleted.add(seen.channel)
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
      case 'publish': {
        // Wherever it stands, and whenever the answer comes: no copy of it does.
        const places = seen.inPlace ? placed.get(`${seen.channel} ${seen.id}`) : undefined
        for (const { position } of places ?? []) reader.had.add(`${seen.channel} ${position}`)
        break
      }
      case 'deliver': {
        const { channel, id, position } = seen
        const message = `${channel} ${id}`
        if (reader.provisional.has(message))
          violations.push({ rule: 5, process, channel, text: `${id} came again after its provisional copy` })
        if (position === undefined) reader.provisional.add(message)
        else readOne(process, reader, { channel, id, position }, atNumber, violations)
        if (position !== undefined) reader.had.add(`${channel} ${position}`)
        // An SDK hands it over once: neither a copy that a recovery brings again comes, nor one at another position.
        for (const other of placed.get(message) ?? []) reader.had.add(`${channel} ${other.position}`)
        break
      }
    }
  }
  return reader
}

function readOne(
  process: string,
  reader: Reader,
  { channel, id, position }: { channel: string; id: string; position: string },
  atNumber: Known['atNumber'],
  violations: Violation[],
): void {
  const violate = (rule: Violation['rule'], text: string) => violations.push({ rule, process, channel, text })
  const at = place(position)
  let last = reader.last.get(channel) ?? (reader.rooms.has(roomOf(channel)) ? BEFORE_ALL : undefined)
  if (last === undefined) return void violate(6, `${id} at ${position} came unasked`)
  // The next channel of that name begins later than the one that was deleted ended.
  if (reader.deleted.delete(channel) && at.ms > last.ms) last = { ms: last.ms + 1, n: 0 }
  const after = `${id} at ${position} came after ${last.ms}-${last.n}`
  if (at.n === last.n && at.ms === last.ms) violate(5, `${id} at ${position} came twice`)
  else if (at.n <= last.n || at.ms < last.ms) violate(3, after)
  else if (
    !isNext(last, at, (n) => atNumber.get(`${channel} ${n}`)?.filter((one) => reader.had.has(`${channel} ${one}`)))
  ) {
    violate(3, after)
    violate(7, `nobody was told what is missing: ${after}`)
  }
  if (isLater(at, last)) reader.last.set(channel, at)
}

/** Whether something that the process does not have may have been in the log up to where a gap ends. */
function mayMiss(reader: Reader, gap: Extract<Seen, { f: 'gap' }>, atNumber: Known['atNumber']): boolean {
  const last = gap.after === undefined ? reader.last.get(gap.channel) : place(gap.after)
  const next = place(gap.next)
  if (last === undefined || (last.ms === next.ms && last.n === next.n)) return last === undefined
  // Of another log, or of one that has other messages, nobody knows.
  if (next.ms < last.ms || next.n <= last.n || reader.again.has(gap.channel)) return true
  const behind = { ms: next.ms, n: next.n + 1 }
  return !isNext(last, behind, (n) =>
    atNumber.get(`${gap.channel} ${n}`)?.filter((one) => reader.had.has(`${gap.channel} ${one}`)),
  )
}

/** Whether nothing is between but messages that the process has; `had` gives their positions at a number. */
function isNext(last: Position, at: Position, had: (n: number) => readonly string[] | undefined): boolean {
  for (let n = last.n + 1; n < at.n; n++) {
    const isHad = had(n)?.some((position) => place(position).ms >= last.ms && place(position).ms <= at.ms)
    if (isHad !== true) return false
  }
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
