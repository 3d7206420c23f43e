/** A heap: the item with the smallest key is at the top. */

type Entry<T> = { readonly item: T; key: number }

/** A binary heap of items by a key that only its owner knows to be current. */
export class Heap<T> {
  #entries: Entry<T>[] = []

  get size(): number {
    return this.#entries.length
  }

  /** The item with the smallest key, and that key. */
  get top(): Readonly<Entry<T>> | undefined {
    return this.#entries[0]
  }

  add(item: T, key: number): void {
    this.#entries.push({ item, key })
    this.#rise(this.#entries.length - 1)
  }

  /** Gives the top another key, which is no smaller. */
  renewTop(key: number): void {
    this.#entries[0]!.key = key
    this.#sink(0)
  }

  removeTop(): void {
    const last = this.#entries.pop()!
    if (this.#entries.length === 0) {
      // An array keeps the memory of the most that it ever held.
      this.#entries = []
      return
    }
    this.#entries[0] = last
    this.#sink(0)
  }

  /** Keeps only the items that pass. */
  keep(passes: (item: T) => boolean): void {
    this.#entries = this.#entries.filter(({ item }) => passes(item))
    for (let at = (this.#entries.length >> 1) - 1; at >= 0; at--) this.#sink(at)
  }

  #sink(from: number): void {
    const entries = this.#entries
    const moved = entries[from]!
    let at = from
    for (let child = 2 * at + 1; child < entries.length; child = 2 * at + 1) {
      if (child + 1 < entries.length && entries[child + 1]!.key < entries[child]!.key) child++
      if (entries[child]!.key >= moved.key) break
      entries[at] = entries[child]!
      at = child
    }
    entries[at] = moved
  }

  #rise(from: number): void {
    const entries = this.#entries
    const moved = entries[from]!
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (entries[parent]!.key <= moved.key) break
      entries[at] = entries[parent]!
      at = parent
    }
    entries[at] = moved
  }
}
