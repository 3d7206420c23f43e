/**
 * Writing behind: what has changed is noted, and written soon, together, one batch after the other. What a thing is when its batch goes is what is written:
 * however often it changed before, it is written once. What a store did not take is written when it can be.
 *
 * A batch can also be written at once, for changes that something else depends on: it goes ahead of whatever is sent next.
 */
import type { Maybe } from '../kit/maybe.ts'
import { Pending, type Sent } from './pending-changes.ts'
import type { Change } from './store.ts'

/** Writing behind. */
export type WriteBehind = {
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
  /** True when all that has changed by now is stored, but for what was refused before; false where that is to be done later; at once where it is known. */
  flushed(): Maybe<boolean>
  /** The store can be written to. */
  ready(): void
  /** It cannot; nobody waits for it any more. */
  away(): void
}

/** What it needs. */
export type WriteBehindDeps = {
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

/** Nothing has changed yet, and the store is away. */
export function createWriteBehind({ delayMs, most, isGone, changeOf, write }: WriteBehindDeps): WriteBehind {
  const pending = new Pending()
  /** What waits because the store has refused it: it is not tried again before its time. */
  const refused = new Set<string>()
  let retry: ReturnType<typeof setTimeout> | undefined
  let limit = most
  let isReady = false
  /** The batch that was written in its turn: the next one waits for it. Batches that go ahead wait for none. */
  let background: Sent | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let waiters: { readonly for: number; end(isStored: boolean): void }[] = []

  const writeSoon = (ms: number) => {
    if (!isReady || timer !== undefined || background !== undefined || pending.waitingSize <= refused.size) return
    timer = setTimeout(() => {
      timer = undefined
      const unrefused = pending.waiting().filter((key) => !refused.has(key))
      background = send([...unrefused.take(MOST_IN_BATCH)])
    }, ms)
  }

  /** Sends what has changed of these, the first ones where they are very long. */
  const send = (keys: readonly string[]): Sent => {
    const changes = new Map<Change, string>()
    let taken = 0
    let characters = 0
    for (; taken < keys.length && characters < MOST_BATCH_CHARACTERS; taken++) {
      const change = changeOf(keys[taken]!)
      if (change !== undefined) changes.set(change, keys[taken]!)
      characters += change?.text?.length ?? 0
    }
    const sent = pending.send(keys.slice(0, taken))
    write([...changes.keys()]).then(
      (failed) => arrived(sent, new Set(failed.map((change) => changes.get(change)!))),
      () => arrived(sent, new Set(sent.keys())),
    )
    return sent
  }

  const arrived = (sent: Sent, failed: ReadonlySet<string>) => {
    // What was under way when the store went has been taken back already.
    if (!pending.arrived(sent, failed)) return
    if (failed.size > 0) {
      for (const key of failed) refused.add(key)
      retryLater()
      const first = Math.min(...[...failed].map((key) => sent.get(key)!))
      endWaiting((one) => one.for >= first, false)
    }
    endSettled()
    if (sent === background) background = undefined
    writeSoon(0)
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
    for (const key of pending.waiting()) if (isGone(key)) pending.remove(key)
    limit = Math.max(most, 2 * pending.waitingSize)
  }

  const endWaiting = (isOver: (one: { readonly for: number }) => boolean, isStored: boolean) => {
    const ended = waiters.filter(isOver)
    waiters = waiters.filter((one) => !isOver(one))
    for (const one of ended) one.end(isStored)
  }
  /** A wait that began after something was refused is for what changed since. */
  const endSettled = () => {
    if (waiters.length === 0) return
    const oldest = pending.oldest(refused)
    endWaiting((one) => one.for < oldest, true)
  }

  return {
    get isAny() {
      return pending.isAny
    },
    get size() {
      return pending.size
    },
    waiting: () => [...pending.waiting()],
    changed(key) {
      pending.add(key)
      if (!isReady && pending.waitingSize > limit) forgetGone()
      writeSoon(delayMs)
    },
    unchanged(key) {
      pending.remove(key)
      refused.delete(key)
      endSettled()
    },
    has: (key) => pending.has(key),
    ahead(keys) {
      const needed = new Map<string, Change>()
      for (const key of keys) {
        const change = pending.has(key) ? changeOf(key) : undefined
        if (change?.text !== undefined) needed.set(key, change)
      }
      let unsent = isReady ? [...needed.keys()].filter((key) => pending.isWaiting(key) && !refused.has(key)) : []
      for (; unsent.length > 0; unsent = unsent.filter((key) => pending.isWaiting(key))) send(unsent)
      return needed
    },
    flushed() {
      if (!isReady) return false
      if (pending.oldest(refused) === Number.POSITIVE_INFINITY) return true
      return new Promise((end) => waiters.push({ for: pending.last, end }))
    },
    ready() {
      isReady = true
      writeSoon(0)
    },
    away() {
      isReady = false
      clearTimeout(timer)
      timer = undefined
      background = undefined
      forgetRefused()
      pending.takeBack()
      endWaiting(() => true, false)
    },
  }
}
