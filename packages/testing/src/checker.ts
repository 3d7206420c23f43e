/**
 * The checker: reads the events of all processes and reports the promises that were not kept. It knows nothing about
 * the implementation of the bus: only what clients sent and received. A pure function, so that it can be tested with
 * histories that have one fault.
 */
import { type Position, parsePosition } from '@arqonbus/protocol'

/** What a process sent or received. */
export type Observation =
  | {
      readonly f: 'publish'
      /** `unknown` may or may not have happened, but at most once and at one position. */
      readonly type: 'invoke' | 'ok' | 'fail' | 'unknown'
      readonly channel: string
      readonly id: string
      readonly position?: string
      /** The durability level of the acknowledgement. */
      readonly durability?: string
      /**
       * True if the sender gets no copy (`echo=false`): the acknowledgement replaces it, or nothing does if the outcome
       * is unknown.
       */
      readonly inPlace?: boolean
    }
  /** A provisional copy has no position; an application above an SDK does not receive its message a second time. */
  | { readonly f: 'deliver'; readonly channel: string; readonly id: string; readonly position?: string }
  /**
   * From here on messages after `position` are delivered: a join without a recovery, or one that continued from there.
   */
  | { readonly f: 'begin'; readonly channel: string; readonly position: string }
  /** From here on messages of every channel of the room are delivered, those of later channels from their origin. */
  | { readonly f: 'begin_room'; readonly room: string }
  /**
   * A gap notice, or a join that could not recover: the next message follows `next`. `after` is the last position of
   * the process, if stated.
   */
  | { readonly f: 'gap'; readonly channel: string; readonly after?: string; readonly next: string }
  /** The channel was deleted: the next message is the first one of another channel. */
  | { readonly f: 'deleted'; readonly channel: string; readonly last: string }
  | { readonly f: 'end'; readonly channel: string }
  | { readonly f: 'end_room'; readonly room: string }
  /** The connection ended, and all its subscriptions. */
  | { readonly f: 'lost' }
  /** An entry of a log that was lost. */
  | { readonly f: 'stood'; readonly channel: string; readonly id: string; readonly position: string }
  /** The history of a channel was read completely. */
  | { readonly f: 'read'; readonly channel: string }
  /** An entry of the history, read at the end. */
  | { readonly f: 'history'; readonly channel: string; readonly id: string; readonly position: string }

/** An event of a process, in the order of that process; `at` gives the order over all processes, for people. */
export type Seen = { readonly process: string; readonly at?: number } & Observation

/** The rules, by their numbers in the design. */
export const rules = {
  1: 'an acknowledged message is in the history, at its position',
  2: 'a message that was acknowledged, or is in the history at the end, reaches every subscriber that stays',
  3: 'the numbers of a channel rise by one',
  4: 'a position names one message',
  5: 'no message is delivered twice, and a message has one position',
  6: 'no message is delivered that was not sent, was refused, or has no subscription',
  7: 'a subscriber that missed a message is notified before the next one',
  8: 'a gap is reported only where a message may have been missed',
} as const

/** A promise that was not kept. */
export type Violation = {
  readonly rule: keyof typeof rules
  readonly process: string
  readonly channel: string
  readonly text: string
}

/** Facts that the history does not contain. */
export type CheckOptions = {
  /** Whether a process may read a channel; by default all may read all. */
  readonly mayRead?: (process: string, channel: string) => boolean
  /**
   * Whether an acknowledged message survives what happened; by default all do. A message that need not survive only has
   * to agree with the history.
   */
  readonly isKept?: (acknowledgement: Acknowledged) => boolean
  /** True if no message can have expired: then the history begins with the first acknowledged message. */
  readonly isWhole?: boolean
  /**
   * True if the log may have lost entries: a message that was sent again may then have another position than the first
   * one, if the log has lost that one.
   */
  readonly mayLose?: boolean
}

/**
 * Returns all violations in a history. The events of each process are in its order; how processes are interleaved does
 * not matter.
 */
export function check(history: readonly Seen[], options: CheckOptions = {}): Violation[] {
  const { mayRead = () => true, isKept = () => true, isWhole = false, mayLose = false } = options
  const kept = acknowledged(history).filter(isKept)
  return [
    ...checkMessages(history, mayLose),
    ...checkHistory(history, kept, isWhole),
    ...checkReaders(history, kept, { mayRead, mayLose }),
  ]
}

/** Rules 4, 5 and 6: messages and their positions, whichever process observed them. */
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

/** Rule 1: the histories read at the end. If any was read, all channels with acknowledged messages must have been. */
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

/** A publish that the log accepted. */
export type Acknowledged = Extract<Seen, { f: 'publish' }> & { readonly position: string }

const acknowledged = (history: readonly Seen[]): Acknowledged[] =>
  history.filter((seen) => seen.f === 'publish' && seen.type === 'ok' && seen.position !== undefined) as Acknowledged[]

/** Rules 2, 3, 5, 6 and 7: the messages that each process received. */
function checkReaders(
  history: readonly Seen[],
  acknowledgements: readonly Acknowledged[],
  { mayRead, mayLose }: Required<Pick<CheckOptions, 'mayRead' | 'mayLose'>>,
): Violation[] {
  const violations: Violation[] = []
  const inHistory = history.filter((seen) => seen.f === 'history')
  const all = Map.groupBy([...acknowledgements, ...inHistory], ({ channel }) => channel)
  // Also for a lost log: a process that received the message gets no copy of that entry either.
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
          text: `${id} at ${position} is in the log and was never delivered; the last was ${last.ms}-${last.n}`,
        })
      }
    }
  }
  return violations
}

/** Facts about positions, from all processes together. */
type Known = {
  /** The positions that messages have or had, by channel and id. */
  readonly placed: ReadonlyMap<string, readonly { readonly position: string }[]>
  /** Positions by channel and number: successive logs may have the same numbers. */
  readonly atNumber: ReadonlyMap<string, readonly string[]>
  /** True if logs may have lost entries. */
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

/** The state of a process, after all its events were read. */
type Reader = {
  /** The last position delivered from each channel. */
  readonly last: Map<string, Position>
  /** Rooms whose channels are all delivered. */
  readonly rooms: Set<string>
  /**
   * Channels with positions whose message the process has, so that no copy is delivered (again): received messages, at
   * this or another position, and its own messages whose acknowledgement replaces the copy.
   */
  readonly had: Set<string>
  /** Messages that were delivered as provisional copies. */
  readonly provisional: Set<string>
  /** Channels from which it has requested messages again that it may have received. */
  readonly again: Set<string>
  /** Channels that were deleted, and whose successor has delivered nothing yet. */
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
          const text = `a gap before ${seen.next}, but nothing was missing`
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
        // Whatever its position, and whenever the reply arrives: no copy of it is delivered.
        const places = seen.inPlace ? placed.get(`${seen.channel} ${seen.id}`) : undefined
        for (const { position } of places ?? []) reader.had.add(`${seen.channel} ${position}`)
        break
      }
      case 'deliver': {
        const { channel, id, position } = seen
        const message = `${channel} ${id}`
        if (reader.provisional.has(message))
          violations.push({ rule: 5, process, channel, text: `${id} was delivered again after its provisional copy` })
        if (position === undefined) reader.provisional.add(message)
        else readOne(process, reader, { channel, id, position }, atNumber, violations)
        if (position !== undefined) reader.had.add(`${channel} ${position}`)
        // An SDK delivers a message once: neither a copy from a recovery, nor one at another position.
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
  if (last === undefined) return void violate(6, `${id} at ${position} was delivered without a subscription`)
  // A later channel of that name has an origin after the end of the deleted one.
  if (reader.deleted.delete(channel) && at.ms > last.ms) last = { ms: last.ms + 1, n: 0 }
  const after = `${id} at ${position} came after ${last.ms}-${last.n}`
  if (at.n === last.n && at.ms === last.ms) violate(5, `${id} at ${position} came twice`)
  else if (at.n <= last.n || at.ms < last.ms) violate(3, after)
  else if (
    !isNext(last, at, (n) => atNumber.get(`${channel} ${n}`)?.filter((one) => reader.had.has(`${channel} ${one}`)))
  ) {
    violate(3, after)
    violate(7, `no gap was reported: ${after}`)
  }
  if (isLater(at, last)) reader.last.set(channel, at)
}

/** Whether the log may have had, before the end of a gap, a message that the process does not have. */
function mayMiss(reader: Reader, gap: Extract<Seen, { f: 'gap' }>, atNumber: Known['atNumber']): boolean {
  const last = gap.after === undefined ? reader.last.get(gap.channel) : place(gap.after)
  const next = place(gap.next)
  if (last === undefined || (last.ms === next.ms && last.n === next.n)) return last === undefined
  // Unknown for another log, or for one with other messages.
  if (next.ms < last.ms || next.n <= last.n || reader.again.has(gap.channel)) return true
  const behind = { ms: next.ms, n: next.n + 1 }
  return !isNext(last, behind, (n) =>
    atNumber.get(`${gap.channel} ${n}`)?.filter((one) => reader.had.has(`${gap.channel} ${one}`)),
  )
}

/** Whether only messages that the process has are in between; `had` returns their positions at a number. */
function isNext(last: Position, at: Position, had: (n: number) => readonly string[] | undefined): boolean {
  for (let n = last.n + 1; n < at.n; n++) {
    const isHad = had(n)?.some((position) => place(position).ms >= last.ms && place(position).ms <= at.ms)
    if (isHad !== true) return false
  }
  return true
}

/** Whether a position is later in a channel: a successive log begins at a later time. */
const isLater = (a: Position, b: Position): boolean => a.ms > b.ms || (a.ms === b.ms && a.n > b.n)

const roomOf = (channel: string): string => channel.slice(0, channel.indexOf(':'))

function place(position: string): Position {
  const at = parsePosition(position)
  if (at === undefined) throw new Error(`${position} is not a position`)
  return at
}

/** The violations as text for people. */
export const violationsText = (violations: readonly Violation[]): string =>
  violations
    .map(({ rule, process, channel, text }) => `rule ${rule} (${rules[rule]}): ${process} in ${channel}: ${text}`)
    .join('\n')
