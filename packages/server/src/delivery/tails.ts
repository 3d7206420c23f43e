/**
 * Tails: what slow readers have yet to be given of logs that keep little.
 *
 * A reader that is behind has no copies of its own waiting, so that a thousand of them cost no more than one. What they
 * lack is in the log; where a log keeps less than a slow reader may be behind, its entries are kept here while a
 * subscription is catching up, once for all of them.
 */
import type { Entry, Log } from '../log/contract.ts'
import type { Feed } from '../state/model.ts'

/** The tails of all logs. */
export type Tails = ReturnType<typeof createTails>

/** What an entry takes beside its text. */
const ENTRY_BYTES = 64

type Tail = { readonly feeds: readonly Feed[]; entries: Entry[]; bytes: number }

/**
 * Creates the tails of logs. Each log has `logBytes` at most, and all together `totalBytes`: the oldest entries of the
 * oldest tail are dropped first.
 */
export function createTails({ logBytes, totalBytes }: { logBytes: number; totalBytes: number }) {
  const tails = new Map<Log, Tail>()
  let total = 0

  const drop = (tail: Tail, count: number) => {
    for (const { text } of tail.entries.splice(0, count)) {
      const bytes = text.length + ENTRY_BYTES
      tail.bytes -= bytes
      total -= bytes
    }
  }
  const dropOver = (tail: Tail, most: number) => {
    let count = 0
    for (let bytes = tail.bytes; bytes > most && count < tail.entries.length; count++)
      bytes -= tail.entries[count]!.text.length + ENTRY_BYTES
    drop(tail, count)
  }
  const forget = (log: Log, tail: Tail) => {
    total -= tail.bytes
    tails.delete(log)
  }

  return {
    /** How many logs have one. */
    get size(): number {
      return tails.size
    },
    /**
     * Keeps an entry that these feeds deliver. Called for each entry of a log while a subscription of one of them is
     * catching up.
     */
    keep(log: Log, entry: Entry, feeds: readonly Feed[]): void {
      const tail = tails.getOrInsertComputed(log, () => ({ feeds, entries: [], bytes: 0 }))
      const last = tail.entries.at(-1)
      if (last !== undefined && last.n + 1 !== entry.n) drop(tail, tail.entries.length)
      const bytes = entry.text.length + ENTRY_BYTES
      tail.entries.push(entry)
      tail.bytes += bytes
      total += bytes
      // A quarter at a time: to take out one by one would move all others each time.
      if (tail.bytes > logBytes) dropOver(tail, (3 / 4) * logBytes)
      for (const [other, oldest] of tails) {
        if (total <= totalBytes) break
        dropOver(oldest, oldest.bytes - (total - (3 / 4) * totalBytes))
        if (oldest.entries.length === 0) tails.delete(other)
      }
    },
    /** The entries after `n`, at most `maxBytes` but one at least; undefined if the entry after `n` is not here. */
    after(log: Log, n: number, maxBytes: number): readonly Entry[] | undefined {
      const tail = tails.get(log)
      const first = tail?.entries[0]?.n
      if (tail === undefined || first === undefined || n + 1 < first || n + 1 > tail.entries.at(-1)!.n) return undefined
      const from = n + 1 - first
      let to = from
      for (let bytes = 0; to < tail.entries.length && (to === from || bytes < maxBytes); to++)
        bytes += tail.entries[to]!.text.length
      return tail.entries.slice(from, to)
    },
    /** Puts a tombstone in place of the entry at its position. */
    redact(log: Log, tombstone: Entry): void {
      const tail = tails.get(log)
      const at = tombstone.n - (tail?.entries[0]?.n ?? Number.POSITIVE_INFINITY)
      const entry = tail?.entries[at]
      if (tail === undefined || entry === undefined || entry.ms !== tombstone.ms) return
      tail.entries[at] = tombstone
      tail.bytes += tombstone.text.length - entry.text.length
      total += tombstone.text.length - entry.text.length
    },
    /** Drops the tails of logs in which no subscription is catching up any more. */
    sweep(): void {
      for (const [log, tail] of tails)
        if (log.isClosed || tail.feeds.every(({ subscribers, live, sampled }) => subscribers === live + sampled))
          forget(log, tail)
    },
    bytes: (): number => total,
  }
}
