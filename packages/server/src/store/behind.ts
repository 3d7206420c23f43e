/**
 * Writing behind: what has changed is noted, and written soon, together, one batch after the other. What a thing is when its batch goes is what is written:
 * however often it changed before, it is written once. What a store did not take is written when it can be.
 */
import type { Maybe } from '../kit/maybe.ts'
import type { Change } from './contract.ts'

/** Writing behind. */
export type Behind = {
  /** Something is not what is stored any more. */
  changed(key: string): void
  /** True for what has changed and is not known to be stored. */
  has(key: string): boolean
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
  write(changes: readonly Change[]): Promise<void>
}

const MOST_IN_BATCH = 128
const MOST_BATCH_CHARACTERS = 256 * 1024
const RETRY_MS = 1000

/** Makes it: away. */
export function createBehind({ delayMs, most, isGone, changeOf, write }: BehindDeps): Behind {
  let dirty = new Set<string>()
  let writing = new Set<string>()
  let limit = most
  let isReady = false
  let timer: ReturnType<typeof setTimeout> | undefined
  /** Keys that were put among the dirty, and those of them that were written: they are written in the order in which they came. */
  let added = 0
  let written = 0
  let waiting: { readonly for: number; end(isStored: boolean): void }[] = []

  const writeSoon = (ms: number) => {
    if (!isReady || timer !== undefined || writing.size > 0 || dirty.size === 0) return
    timer = setTimeout(() => {
      timer = undefined
      writeBatch()
    }, ms)
  }

  /** Names that come and go while the store is away would otherwise be remembered for as long as it is. */
  const forgetGone = () => {
    for (const key of dirty) if (isGone(key)) dirty.delete(key)
    limit = Math.max(most, 2 * dirty.size)
  }

  const takeBatch = (): Change[] => {
    const changes: Change[] = []
    let characters = 0
    for (const key of dirty) {
      if (changes.length >= MOST_IN_BATCH || characters >= MOST_BATCH_CHARACTERS) break
      dirty.delete(key)
      writing.add(key)
      const change = changeOf(key)
      if (change === undefined) continue
      changes.push(change)
      characters += change.text?.length ?? 0
    }
    return changes
  }

  const writeBatch = () => {
    const batch = takeBatch()
    const keys = writing
    write(batch).then(
      () => {
        if (writing !== keys) return
        writing = new Set()
        written += keys.size
        const ended = waiting.filter((one) => one.for <= written)
        waiting = waiting.filter((one) => one.for > written)
        for (const one of ended) one.end(true)
        writeSoon(0)
      },
      () => {
        // Whoever has seen the store go has put the batch back already.
        if (writing !== keys) return
        putBack()
        writeSoon(RETRY_MS)
      },
    )
  }

  const putBack = () => {
    dirty = new Set([...writing, ...dirty])
    writing = new Set()
    added = dirty.size
    written = 0
    const ended = waiting
    waiting = []
    for (const one of ended) one.end(false)
  }

  return {
    changed(key) {
      if (dirty.has(key)) return
      dirty.add(key)
      added++
      if (!isReady && dirty.size > limit) forgetGone()
      writeSoon(delayMs)
    },
    has: (key) => dirty.has(key) || writing.has(key),
    settled() {
      if (!isReady) return false
      if (dirty.size === 0 && writing.size === 0) return true
      return new Promise((end) => waiting.push({ for: added, end }))
    },
    ready() {
      isReady = true
      writeSoon(0)
    },
    away() {
      isReady = false
      clearTimeout(timer)
      timer = undefined
      putBack()
    },
  }
}
