/**
 * Subscriptions of one feed with the same policy, and the newest message of each key that one of them still lacks.
 *
 * Messages are numbered as they arrive. A member has everything up to its cursor; what it lacks is sent in the order of
 * those numbers, so that the positions of a channel only rise. Memory is that of the newest messages, once for all
 * members, however many of them do not read.
 */
import { isTombstoneOf } from '@arqonbus/protocol'
import type { Client, Feed, Subscription } from '../../state/model.ts'

/** A message on its way to the members of a group. */
export type Sample = {
  readonly text: string
  readonly seq: number
  /** Gets no copy. */
  readonly except: Client | undefined
}

/** A subscription that delivers by a policy. */
export type Member = {
  readonly subscription: Subscription
  readonly group: SampleGroup
  /** The number of the last message that it was sent, or that is not for it. */
  cursor: number
  /** True while it has to wait: its connection reads too slowly, its snapshot is not sent, or the turn is over. */
  isBehind: boolean
}

/** What a sample takes beside its text. */
const SAMPLE_BYTES = 64

const bytesOf = ({ text }: Sample): number => text.length + SAMPLE_BYTES

/** One group. */
export class SampleGroup {
  readonly members = new Set<Member>()
  readonly #samples = new Map<string, Sample>()
  #last: Sample | undefined
  /** The number of the last message. */
  seq = 0
  /** The number up to which messages may be sent: those after it wait for the end of the period. */
  released = 0
  /** When the period ends, in running time; in the past where none is open. */
  endsAt = Number.NEGATIVE_INFINITY
  /** How many members are behind. */
  behind = 0
  /** Bytes of what is kept. */
  bytes = 0

  /** Creates the group of subscriptions that get a message of each key in `periodMs` at most; 0: whenever they can. */
  constructor(
    readonly feed: Feed,
    readonly periodMs: number,
  ) {}

  /** How many messages are kept. */
  get size(): number {
    return this.#samples.size
  }

  /** Takes a message, in place of the one before it with the same key. */
  add(key: string, text: string, except: Client | undefined): void {
    const before = this.#samples.get(key)
    if (before !== undefined) {
      this.bytes -= bytesOf(before)
      this.#samples.delete(key)
    }
    const sample = { text, seq: ++this.seq, except }
    this.#samples.set(key, sample)
    this.bytes += bytesOf(sample)
    this.#last = sample
  }

  /** The message of a tombstone was deleted: members get that in its place. */
  redact(tombstone: string): void {
    for (const [key, sample] of this.#samples) {
      if (!isTombstoneOf(tombstone, sample.text)) continue
      const redacted = { ...sample, text: tombstone }
      this.#samples.set(key, redacted)
      if (this.#last === sample) this.#last = redacted
      this.bytes += tombstone.length - sample.text.length
    }
  }

  /** Drops the message that has waited longest. */
  dropOldest(): void {
    for (const [key, sample] of this.#samples) {
      this.bytes -= bytesOf(sample)
      this.#samples.delete(key)
      return
    }
  }

  /** What comes after a cursor and may be sent, oldest first. */
  *after(cursor: number, upTo = this.released): Iterable<Sample> {
    const last = this.#last
    if (last === undefined || last.seq <= cursor) return
    if (last.seq === cursor + 1) {
      if (last.seq <= upTo) yield last
      return
    }
    for (const sample of this.#samples.values()) if (sample.seq > cursor && sample.seq <= upTo) yield sample
  }

  /** Forgets everything, where no member lacks anything. */
  tidy(): void {
    if (this.behind > 0 || this.released < this.seq) return
    this.#samples.clear()
    this.#last = undefined
    this.bytes = 0
  }
}
