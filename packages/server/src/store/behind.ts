/**
 * Writing behind: what has changed is noted, and written soon, together, one batch after the other. What a thing is when its batch goes is what is written:
 * however often it changed before, it is written once. What a store did not take is written when it can be.
 *
 * A batch can also be written at once, for changes that something else depends on: it goes ahead of whatever is sent next.
 */
import type { Maybe } from '../kit/maybe.ts'
import type { Change } from './contract.ts'

/** Writing behind. */
export type Behind = {
  /** Changes that are not known to be stored. */
  readonly size: number
  /** True where there is one. */
  readonly isAny: boolean
  /** What waits to be written. */
  waiting(): readonly string[]
  /** Something is not what is stored any more. */
  changed(key: string): void
  /** It is what is stored, after all. */
  unchanged(key: string): void
  /** True for what has changed and is not known to be stored. */
  has(key: string): boolean
  /** Writes these at once, where they are not stored or on their way yet. Gives those that are not known to be stored, as they are now. */
  ahead(keys: Iterable<string>): ReadonlyMap<string, Change>
  /** True when all that has changed by now is stored, false where that is to be done later; at once where it is known. */
  settled(): Maybe<boolean>
  /** The store can be written to. */
  ready(): void
  /** It cannot; nobody waits for it any more. */
  away(): void
}

/** What it needs. */
export type BehindDeps = {
  /** How long a change waits for others. */
  readonly delayMs: number
  /** So many changes may wait while the store is away; above it what is gone by now is forgotten, and is there again after a restart. */
  readonly most: number
  isGone(key: string): boolean
  /** What a thing is now; undefined for one that is not kept. */
  changeOf(key: string): Change | undefined
  /** Resolves to what the store refused. Fails where it is not known what became of it. */
  write(changes: readonly Change[]): Promise<readonly Change[]>
}

const MOST_IN_BATCH = 128
const MOST_BATCH_CHARACTERS = 256 * 1024
const RETRY_MS = 1000

/** Changes on their way to the store, each with its number. */
type Batch = {
  readonly keys: ReadonlyMap<string, number>
  /** Resolves to the keys that the store did not take. */
  readonly done: Promise<ReadonlySet<string>>
}

/** Nothing has changed yet, and the store is away. */
export function createBehind({ delayMs, most, isGone, changeOf, write }: BehindDeps): Behind {
  /** What is to be written: each key with the number of its change, the oldest first. */
  let dirty = new Map<string, number>()
  const batches = new Set<Batch>()
  /** Those of them that the store has refused: they are not tried again before their time. */
  const refused = new Set<string>()
  let retry: ReturnType<typeof setTimeout> | undefined
  let added = 0
  let limit = most
  let isReady = false
  /** The batch that was written in its turn: the next one waits for it. Batches that go ahead wait for none. */
  let background: Batch | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let waiters: { readonly for: number; end(isStored: boolean): void }[] = []

  const writeSoon = (ms: number) => {
    if (!isReady || timer !== undefined || background !== undefined || dirty.size <= refused.size) return
    timer = setTimeout(() => {
      timer = undefined
      const batch = send(
        dirty.keys().filter((key) => !refused.has(key)),
        MOST_IN_BATCH,
      )
      background = batch
      void batch.done.then(() => {
        // The store may have gone meanwhile, and be back: then another batch has this turn.
        if (batch !== background) return
        background = undefined
        writeSoon(0)
      })
    }, ms)
  }

  /** What was refused is tried again in a while, and not for every message that needs it. */
  const retryLater = () => {
    retry ??= setTimeout(() => {
      forgetRefused()
      writeSoon(0)
    }, RETRY_MS)
  }
  const forgetRefused = () => {
    clearTimeout(retry)
    retry = undefined
    refused.clear()
  }

  /** Names that come and go while the store is away would otherwise be remembered for as long as it is. */
  const forgetGone = () => {
    for (const key of dirty.keys()) if (isGone(key)) dirty.delete(key)
    limit = Math.max(most, 2 * dirty.size)
  }

  /** Sends what has changed of these, at most so many. */
  const send = (wanted: Iterable<string>, mostKeys: number): Batch => {
    const keys = new Map<string, number>()
    const keyOf = new Map<Change, string>()
    let characters = 0
    for (const key of wanted) {
      const number = dirty.get(key)
      if (number === undefined) continue
      if (keys.size >= mostKeys || characters >= MOST_BATCH_CHARACTERS) break
      dirty.delete(key)
      keys.set(key, number)
      const change = changeOf(key)
      if (change === undefined) continue
      keyOf.set(change, key)
      characters += change.text?.length ?? 0
    }
    const done = write([...keyOf.keys()]).then(
      (not) => finish(batch, new Set(not.map((change) => keyOf.get(change)!))),
      () => finish(batch, new Set(keys.keys())),
    )
    const batch: Batch = { keys, done }
    batches.add(batch)
    return batch
  }

  const finish = (batch: Batch, failed: ReadonlySet<string>): ReadonlySet<string> => {
    // What was under way when the store went has been put back already.
    if (!batches.delete(batch)) return new Set(batch.keys.keys())
    if (failed.size > 0) {
      for (const key of failed) refused.add(key)
      putBack([batch], failed)
      retryLater()
      endWaiting(() => true, false)
    }
    const oldest = oldestNumber()
    endWaiting((one) => one.for < oldest, true)
    return failed
  }

  /** Changes that were not stored wait again, in the order in which they came. */
  const putBack = (all: Iterable<Batch>, failed?: ReadonlySet<string>) => {
    const back: [string, number][] = []
    for (const { keys } of all) {
      for (const [key, number] of keys) if (failed?.has(key) !== false && !dirty.has(key)) back.push([key, number])
    }
    dirty = new Map([...back, ...dirty].sort(([, a], [, b]) => a - b))
  }

  const oldestNumber = (): number => {
    let [oldest = Number.POSITIVE_INFINITY] = dirty.values()
    for (const { keys } of batches) for (const number of keys.values()) oldest = Math.min(oldest, number)
    return oldest
  }

  const endWaiting = (isOver: (one: { readonly for: number }) => boolean, isStored: boolean) => {
    if (waiters.length === 0) return
    const ended = waiters.filter(isOver)
    waiters = waiters.filter((one) => !isOver(one))
    for (const one of ended) one.end(isStored)
  }

  const has = (key: string): boolean => {
    if (dirty.has(key)) return true
    for (const { keys } of batches) if (keys.has(key)) return true
    return false
  }

  return {
    get isAny() {
      return dirty.size > 0 || batches.size > 0
    },
    get size() {
      let size = dirty.size
      for (const { keys } of batches) size += keys.size
      return size
    },
    waiting: () => [...dirty.keys()],
    changed(key) {
      if (dirty.has(key)) return
      dirty.set(key, ++added)
      if (!isReady && dirty.size > limit) forgetGone()
      writeSoon(delayMs)
    },
    unchanged(key) {
      dirty.delete(key)
      refused.delete(key)
      const oldest = oldestNumber()
      endWaiting((one) => one.for < oldest, true)
    },
    has,
    ahead(keys) {
      const pending = new Map<string, Change>()
      for (const key of keys) {
        const change = has(key) ? changeOf(key) : undefined
        if (change?.text !== undefined) pending.set(key, change)
      }
      let unsent = isReady ? [...pending.keys()].filter((key) => dirty.has(key) && !refused.has(key)) : []
      // One batch, unless they are very long.
      for (; unsent.length > 0; unsent = unsent.filter((key) => dirty.has(key))) send(unsent, unsent.length)
      return pending
    },
    settled() {
      if (!isReady) return false
      if (dirty.size === 0 && batches.size === 0) return true
      return new Promise((end) => waiters.push({ for: added, end }))
    },
    ready() {
      isReady = true
      writeSoon(0)
    },
    away() {
      isReady = false
      clearTimeout(timer)
      timer = undefined
      forgetRefused()
      background = undefined
      const lost = [...batches]
      batches.clear()
      putBack(lost)
      endWaiting(() => true, false)
    },
  }
}
