/**
 * Remembers for a while which messages were taken, so that one that is sent again gets its first position
 * (docs/protocol.md#acknowledgement).
 *
 * Segments in the order of time: a message goes into the newest, a segment goes as a whole when its newest message is
 * older than the window. So there are no deletions and no pauses to grow. What is known of a message is in typed
 * arrays, one behind the other, and a small table of numbers finds it: to look for a message that is not there, which
 * is what nearly every look is, touches 4 bytes of a segment. 44 bytes a message; a Map of strings takes 190 to 260.
 *
 * What each account has in here is counted, by segment: so one that sends very much cannot use up what others need.
 *
 * All times here are running time (`kit/clock.ts`): a wall clock that is set makes no message forgotten early, and
 * keeps none for hours.
 */

import type { Account } from '../limits/accounts.ts'
import { Budget } from '../limits/budget.ts'
import type { Usage } from '../limits/usage.ts'

/** Four 32-bit halves of digests, two 64-bit numbers, its age, and two slots of the table. */
const MESSAGE_BYTES = 4 * 4 + 2 * 8 + 4 + 2 * 4
/** A segment takes messages for so long at most, that their offsets fit into 32 bits. */
const MOST_OFFSET_MS = 2 ** 31
const FIRST_ROOM = 1 << 10
const MOST_ROOM = 1 << 19

/**
 * A slot of the table: 12 bits of the digest, so that next to no wrong message is looked at, and 20 for the number of
 * the message, from 1.
 */
const NUMBER_BITS = 20
const NUMBER_MASK = (1 << NUMBER_BITS) - 1

type Segment = {
  /** How many messages it has room for. */
  readonly room: number
  /** Twice as many slots as messages; 0 is a free one. */
  readonly table: Int32Array
  /**
   * For each message four halves of digests, then `ms` and `n` of its position: 32 bytes side by side, for all of it is
   * looked at or written at once.
   */
  readonly digests: Int32Array
  readonly numbers: Float64Array
  /** When each message came, in milliseconds after the first one of the segment. */
  readonly offsets: Uint32Array
  readonly beganAt: number
  used: number
  /** How many messages of each account it has. */
  readonly tallies: Tally[]
  /** When the newest message came. */
  newestAt: number
}

/** Messages of one account in one segment. */
type Tally = { readonly segment: Segment; readonly usage: Usage; count: number }

/** What is known of an id: nothing, that it was taken at a position, or that other content has it. */
export type Found = { readonly kind: 'same'; readonly ms: number; readonly n: number } | { readonly kind: 'conflict' }

/** One message to look for: the digest of (log, sender, id), the digest of its content, and the account of its sender. */
export type Fingerprint = {
  idLow: number
  idHigh: number
  contentLow: number
  contentHigh: number
  account: Account | undefined
}

/** The memory of one node: remembers for `windowMs`, in at most `maxBytes`. */
export function createDedup(windowMs: number, maxBytes: number) {
  /** Oldest first. */
  const segments: Segment[] = []
  let bytes = 0
  /** By how many bytes of messages are remembered, whose they are. */
  const budget = new Budget(maxBytes)
  /** The last tally of each account. */
  const tallies = new WeakMap<Account, Tally>()

  const drop = (segment: Segment) => {
    bytes -= segmentBytes(segment)
    for (const { usage, count } of segment.tallies) usage.remove(count * MESSAGE_BYTES)
  }
  /** Forgets messages that are older than the window. */
  const sweep = (now: number): void => {
    while (segments.length > 0 && segments[0]!.newestAt + windowMs < now) drop(segments.shift()!)
  }
  const tallyOf = (account: Account, segment: Segment): Tally => {
    const last = tallies.get(account)
    if (last?.segment === segment) return last
    const tally = { segment, usage: last?.usage ?? budget.of(account), count: 0 }
    tallies.set(account, tally)
    segment.tallies.push(tally)
    return tally
  }
  /**
   * The next segment is eight times the last, so that a quiet node stays small and a busy one has few; or what is left
   * of the bytes, where that is less.
   */
  const nextRoom = () => {
    let room = Math.min(MOST_ROOM, 8 * (segments.at(-1)?.room ?? FIRST_ROOM / 8))
    while (room > FIRST_ROOM && bytes + room * MESSAGE_BYTES > maxBytes) room /= 2
    return room
  }

  return {
    /** What is known of a message. */
    find(print: Fingerprint, now: number): Found | undefined {
      for (let i = segments.length - 1; i >= 0; i--) {
        const segment = segments[i]!
        if (segment.newestAt + windowMs < now) return undefined
        const at = (segment.table[slotOf(segment, print)]! & NUMBER_MASK) - 1
        if (at < 0) continue
        // A segment lives as long as its newest message; this one is past its time.
        if (segment.beganAt + segment.offsets[at]! + windowMs < now) return undefined
        const same =
          segment.digests[8 * at + 2] === print.contentLow && segment.digests[8 * at + 3] === print.contentHigh
        if (!same) return { kind: 'conflict' }
        return { kind: 'same', ms: segment.numbers[4 * at + 2]!, n: segment.numbers[4 * at + 3]! }
      }
      return undefined
    },
    /**
     * Whether there is room for one more of an account: within the bytes allowed, and its share of them, and without
     * shortening the window.
     */
    hasRoom(print: Fingerprint, now: number): boolean {
      const account = print.account!
      if (!budget.admits(account, MESSAGE_BYTES)) sweep(now)
      if (!budget.admits(account, MESSAGE_BYTES)) return false
      const last = segments.at(-1)
      if (last !== undefined && last.used < last.room) return true
      sweep(now)
      return bytes + nextRoom() * MESSAGE_BYTES <= maxBytes
    },
    add(print: Fingerprint, ms: number, n: number, now: number): void {
      let segment = segments.at(-1)
      if (segment === undefined || segment.used === segment.room || now - segment.beganAt > MOST_OFFSET_MS) {
        segment = newSegment(nextRoom(), now)
        segments.push(segment)
        bytes += segmentBytes(segment)
      }
      const tally = tallyOf(print.account!, segment)
      tally.count++
      tally.usage.add(MESSAGE_BYTES)
      const at = segment.used++
      // One past its time may come again: from now on its slot is the new one's.
      segment.table[slotOf(segment, print)] = ((print.idHigh >>> NUMBER_BITS) << NUMBER_BITS) | (at + 1)
      segment.digests[8 * at] = print.idLow
      segment.digests[8 * at + 1] = print.idHigh
      segment.digests[8 * at + 2] = print.contentLow
      segment.digests[8 * at + 3] = print.contentHigh
      segment.numbers[4 * at + 2] = ms
      segment.numbers[4 * at + 3] = n
      segment.offsets[at] = Math.ceil(now - segment.beganAt)
      segment.newestAt = now
    },
    sweep,
    bytes: () => bytes,
  }
}

const segmentBytes = (segment: Segment): number => segment.room * MESSAGE_BYTES

function newSegment(room: number, now: number): Segment {
  const messages = new ArrayBuffer(32 * room)
  return {
    room,
    table: new Int32Array(2 * room),
    digests: new Int32Array(messages),
    numbers: new Float64Array(messages),
    offsets: new Uint32Array(room),
    beganAt: now,
    used: 0,
    tallies: [],
    newestAt: now,
  }
}

/** The slot of a message, or the free one where it would go. */
function slotOf({ table, digests }: Segment, { idLow, idHigh }: Fingerprint): number {
  const mask = table.length - 1
  for (let slot = idLow & mask; ; slot = (slot + 1) & mask) {
    const entry = table[slot]!
    if (entry === 0) return slot
    const at = (entry & NUMBER_MASK) - 1
    const isAlike = entry >>> NUMBER_BITS === idHigh >>> NUMBER_BITS
    if (isAlike && digests[8 * at] === idLow && digests[8 * at + 1] === idHigh) return slot
  }
}
