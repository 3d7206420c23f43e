/** The arguments of the scripts: the keys of a log, and what else each script needs. */
import { keyOf } from '../../redis/keys.ts'
import type { LogOptions, ReadQuery } from '../contract.ts'
import type { Question, StoredLog } from '../remote/remote-store.ts'
import type { RedisLogStoreOptions } from './store-options.ts'

type Word = string | number

/**
 * Keys of open logs outlive their messages by 30 days, because Redis expires them by its own clock, which may be set
 * ahead. Keys of closed logs outlive them by a day.
 */
export const SLACK_MS = 30 * 86_400_000
const SLACK_OF_CLOSED_MS = 86_400_000

/** The arguments of one driver. */
export type Words = ReturnType<typeof createWords>

/** Creates the arguments of one driver, from its options. */
export function createWords({ clock, dedupWindowMs, node, timeOf }: RedisLogStoreOptions) {
  const now = () => String(Math.trunc(clock.now()))
  /** How long keys are kept that nobody writes to, in milliseconds. */
  const keepOf = ({ ttlMs }: LogOptions) => Math.max(ttlMs, dedupWindowMs) + SLACK_MS
  let questions = 0
  /** What this node has seen of it. */
  const knownOf = ({ origin, lastDelivered }: StoredLog): Word[] => [origin.ms, lastDelivered.ms, lastDelivered.n]
  return {
    /** Notes who speaks for this node, and what it has done. */
    fenceKey: keyOf(`@node:${node}`),
    /** The node's time, and the time that the script takes for now; '' for Redis's own. */
    now,
    time: () => (timeOf === 'node' ? now() : ''),
    /** A word that no other question has: its answer repeats it. */
    question: () => `q${++questions}`,
    keepOf,
    keepClosed: ({ ttlMs }: LogOptions) => Math.max(ttlMs, dedupWindowMs) + SLACK_OF_CLOSED_MS,
    knownOf,
    /** All keys of a log: stream, head, and the two of dedup. */
    keysOf({ name }: StoredLog): [stream: string, head: string, dedup0: string, dedup1: string] {
      const start = keyOf(name)
      return [`${start}:s`, `${start}:h`, `${start}:d0`, `${start}:d1`]
    },
    /** The hash of the positions of deleted messages. */
    deletedOf: ({ name }: StoredLog): string => `${keyOf(name)}:x`,
    /** What `inspect.lua` asks of each log. */
    lookOf: ({ log, at, how }: Question): Word[] => [
      how,
      log.options.size,
      log.options.ttlMs,
      keepOf(log.options),
      ...knownOf(log),
      at === undefined || at.n <= 0 ? '' : `${at.ms}-${at.n}`,
    ],
  }
}

/** What `read.lua` calls a query: a direction, and where it begins. Nothing is before `0-1`. */
export function placeOf({ after, before, from }: ReadQuery): [direction: 'after' | 'before', position: string] {
  if (before !== undefined) return ['before', before.ms === 0 ? '0-1' : `${before.ms}-${Math.max(0, before.n)}`]
  if (after !== undefined) return ['after', after.n < 0 ? '' : `${after.ms}-${after.n}`]
  return [from === 'newest' ? 'before' : 'after', '']
}
