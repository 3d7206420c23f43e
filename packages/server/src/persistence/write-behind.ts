/**
 * Write-behind: keys that have changed are collected and written together, one batch after the other. What is written
 * is the state when the batch is sent: however often it changed before, it is written once. What the store refused is
 * written later.
 *
 * A batch can also be written at once, for changes that something else depends on: it is sent ahead of everything after
 * it.
 */
import type { Maybe } from '../kit/maybe.ts'
import { Pending, type Sent } from './pending-changes.ts'
import type { Change } from './store.ts'

/** What writing behind needs. */
export type WriteBehindDeps = {
  /** How long a change waits for others. */
  readonly delayMs: number
  /**
   * Maximum of changes that wait during an outage; above it, changes of what is gone by now are forgotten, and it
   * exists again after a restart.
   */
  readonly most: number
  isGone(key: string): boolean
  /** What is written for a key now; undefined for what is not stored. */
  changeOf(key: string): Change | undefined
  /** Resolves to what the store refused. Fails where it is not known what became of the changes. */
  write(changes: readonly Change[]): Promise<readonly Change[]>
}

const MOST_IN_BATCH = 128
const MOST_BATCH_CHARACTERS = 256 * 1024
const RETRY_MS = 1000

/** A caller that waits for all changes up to a number. */
type Waiter = { readonly for: number; end(isStored: boolean): void }

/** Writing behind, from an outage on in which nothing has changed yet. */
export class WriteBehind {
  readonly #deps: WriteBehindDeps
  readonly #pending = new Pending()
  /** Changes that wait because the store has refused them: they are not tried again before their time. */
  readonly #refused = new Set<string>()
  #retry: ReturnType<typeof setTimeout> | undefined
  #limit: number
  #isReady = false
  /** The batch that was written in its turn: the next one waits for it. Batches that go ahead wait for none. */
  #background: Sent | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #waiters: Waiter[] = []

  constructor(deps: WriteBehindDeps) {
    this.#deps = deps
    this.#limit = deps.most
  }

  /** The changes that are not known to be stored. */
  get pending(): Pick<Pending, 'size' | 'isAny' | 'has' | 'waiting'> {
    return this.#pending
  }

  /** Something is not what is stored any more. */
  changed(key: string): void {
    this.#pending.add(key)
    if (!this.#isReady && this.#pending.waitingSize > this.#limit) this.#forgetGone()
    this.#writeSoon(this.#deps.delayMs)
  }

  /** It is what is stored, after all. */
  unchanged(key: string): void {
    this.#pending.remove(key)
    this.#refused.delete(key)
    this.#endSettled()
  }

  /**
   * Writes these at once, where they are not stored or on their way yet. Returns those that are not known to be stored,
   * as they are now.
   */
  ahead(keys: Iterable<string>): ReadonlyMap<string, Change> {
    const pending = this.#pending
    const needed = new Map<string, Change>()
    for (const key of keys) {
      const change = pending.has(key) ? this.#deps.changeOf(key) : undefined
      if (change?.text !== undefined) needed.set(key, change)
    }
    const isUnsent = (key: string) => pending.isWaiting(key) && !this.#refused.has(key)
    let unsent = this.#isReady ? [...needed.keys()].filter(isUnsent) : []
    for (; unsent.length > 0; unsent = unsent.filter((key) => pending.isWaiting(key))) this.#send(unsent)
    return needed
  }

  /**
   * True when all that has changed by now is stored, but for what was refused before; false where that is to be done
   * later; at once where it is known.
   */
  flushed(): Maybe<boolean> {
    if (!this.#isReady) return false
    if (this.#pending.oldest(this.#refused) === Number.POSITIVE_INFINITY) return true
    return new Promise((end) => this.#waiters.push({ for: this.#pending.last, end }))
  }

  /** The store can be written to. */
  ready(): void {
    this.#isReady = true
    this.#writeSoon(0)
  }

  /** It cannot; no caller waits for it any more. */
  away(): void {
    this.#isReady = false
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#background = undefined
    this.#forgetRefused()
    this.#pending.takeBack()
    this.#endWaiting(() => true, false)
  }

  #writeSoon(ms: number): void {
    const isIdle = this.#timer === undefined && this.#background === undefined
    if (!this.#isReady || !isIdle || this.#pending.waitingSize <= this.#refused.size) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      const unrefused = this.#pending.waiting().filter((key) => !this.#refused.has(key))
      this.#background = this.#send([...unrefused.take(MOST_IN_BATCH)])
    }, ms)
  }

  /** Sends what has changed of these, the first ones where they are very long. */
  #send(keys: readonly string[]): Sent {
    const changes = new Map<Change, string>()
    let taken = 0
    let characters = 0
    for (; taken < keys.length && characters < MOST_BATCH_CHARACTERS; taken++) {
      const change = this.#deps.changeOf(keys[taken]!)
      if (change !== undefined) changes.set(change, keys[taken]!)
      characters += change?.text?.length ?? 0
    }
    const sent = this.#pending.send(keys.slice(0, taken))
    this.#deps.write([...changes.keys()]).then(
      (failed) => this.#arrived(sent, new Set(failed.map((change) => changes.get(change)!))),
      () => this.#arrived(sent, new Set(sent.keys())),
    )
    return sent
  }

  #arrived(sent: Sent, failed: ReadonlySet<string>): void {
    // What was under way when the outage began has been taken back already.
    if (!this.#pending.arrived(sent, failed)) return
    if (failed.size > 0) {
      for (const key of failed) this.#refused.add(key)
      this.#retryLater()
      const first = Math.min(...[...failed].map((key) => sent.get(key)!))
      this.#endWaiting((one) => one.for >= first, false)
    }
    this.#endSettled()
    if (sent === this.#background) this.#background = undefined
    this.#writeSoon(0)
  }

  /** What was refused is tried again after a second, and not for every message that needs it. */
  #retryLater(): void {
    this.#retry ??= setTimeout(() => {
      this.#forgetRefused()
      this.#writeSoon(0)
    }, RETRY_MS)
  }

  #forgetRefused(): void {
    clearTimeout(this.#retry)
    this.#retry = undefined
    this.#refused.clear()
  }

  /** Names that come and go during an outage would otherwise be remembered for as long as it takes. */
  #forgetGone(): void {
    for (const key of this.#pending.waiting()) if (this.#deps.isGone(key)) this.#pending.remove(key)
    this.#limit = Math.max(this.#deps.most, 2 * this.#pending.waitingSize)
  }

  #endWaiting(isOver: (one: Waiter) => boolean, isStored: boolean): void {
    const ended = this.#waiters.filter(isOver)
    this.#waiters = this.#waiters.filter((one) => !isOver(one))
    for (const one of ended) one.end(isStored)
  }

  /** A wait that began after something was refused is for what changed since. */
  #endSettled(): void {
    if (this.#waiters.length === 0) return
    const oldest = this.#pending.oldest(this.#refused)
    this.#endWaiting((one) => one.for < oldest, true)
  }
}
