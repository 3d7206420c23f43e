/**
 * Changes that are not known to be stored: those that wait to be written, and those that are on their way. Each has a
 * number, in the order of the changes.
 */

/** Changes on their way together: keys with their numbers. */
export type Sent = ReadonlyMap<string, number>

/** No changes. */
export class Pending {
  /** The oldest first. */
  #waiting = new Map<string, number>()
  readonly #sent = new Set<Sent>()
  /** The number of the last change. */
  last = 0

  get isAny(): boolean {
    return this.#waiting.size > 0 || this.#sent.size > 0
  }

  get size(): number {
    return this.#sent.values().reduce((size, keys) => size + keys.size, this.#waiting.size)
  }

  /** How many wait. */
  get waitingSize(): number {
    return this.#waiting.size
  }

  /** Those that wait. */
  waiting(): MapIterator<string> {
    return this.#waiting.keys()
  }

  isWaiting(key: string): boolean {
    return this.#waiting.has(key)
  }

  has(key: string): boolean {
    return this.#waiting.has(key) || this.#sent.values().some((keys) => keys.has(key))
  }

  /** The number of the oldest change, changes of the keys in `except` left out; infinite if there is none. */
  oldest(except: ReadonlySet<string>): number {
    let oldest = this.#waiting.entries().find(([key]) => !except.has(key))?.[1] ?? Number.POSITIVE_INFINITY
    for (const keys of this.#sent) for (const number of keys.values()) oldest = Math.min(oldest, number)
    return oldest
  }

  /** Has a change wait; one of a key that waits already waits with it. */
  add(key: string): void {
    if (!this.#waiting.has(key)) this.#waiting.set(key, ++this.last)
  }

  remove(key: string): void {
    this.#waiting.delete(key)
  }

  /** These are on their way from now on. */
  send(keys: Iterable<string>): Sent {
    const sent = new Map<string, number>()
    for (const key of keys) {
      sent.set(key, this.#waiting.get(key)!)
      this.#waiting.delete(key)
    }
    this.#sent.add(sent)
    return sent
  }

  /** They have arrived, but for those that failed: these wait again. False where they had been taken back. */
  arrived(sent: Sent, failed: ReadonlySet<string>): boolean {
    if (!this.#sent.delete(sent)) return false
    this.#restore([...sent].filter(([key]) => failed.has(key)))
    return true
  }

  /** Whatever is on its way waits again. */
  takeBack(): void {
    const lost = [...this.#sent]
    this.#sent.clear()
    this.#restore(lost.flatMap((sent) => [...sent]))
  }

  #restore(changes: readonly [string, number][]): void {
    const back = changes.filter(([key]) => !this.#waiting.has(key))
    if (back.length === 0) return
    this.#waiting = new Map([...back, ...this.#waiting].sort(([, a], [, b]) => a - b))
  }
}
