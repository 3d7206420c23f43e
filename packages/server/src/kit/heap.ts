/** A heap: the item with the smallest key is at the top. */

/**
 * A binary heap of items by a key that only its owner knows to be current. Items and keys are two lists: an object for
 * each pair would be work for the garbage collector.
 */
export class Heap<T> {
  #items: T[] = []
  #keys: number[] = []

  get size(): number {
    return this.#items.length
  }

  /** The item with the smallest key. */
  get top(): T | undefined {
    return this.#items[0]
  }

  /** The smallest key; infinite where there is no item. */
  get topKey(): number {
    return this.#keys[0] ?? Number.POSITIVE_INFINITY
  }

  add(item: T, key: number): void {
    this.#items.push(item)
    this.#keys.push(key)
    this.#rise(this.size - 1)
  }

  /** Gives the top another key, which is no smaller. */
  renewTop(key: number): void {
    this.#keys[0] = key
    this.#sink(0)
  }

  removeTop(): void {
    const item = this.#items.pop()!
    const key = this.#keys.pop()!
    if (this.size === 0) {
      // A list keeps the memory of the most that it ever held.
      this.#items = []
      this.#keys = []
      return
    }
    this.#items[0] = item
    this.#keys[0] = key
    this.#sink(0)
  }

  /** Keeps only the items that pass. */
  keep(passes: (item: T) => boolean): void {
    const [items, keys] = [this.#items, this.#keys]
    this.#items = []
    this.#keys = []
    items.forEach((item, at) => {
      if (!passes(item)) return
      this.#items.push(item)
      this.#keys.push(keys[at]!)
    })
    for (let at = (this.size >> 1) - 1; at >= 0; at--) this.#sink(at)
  }

  #sink(from: number): void {
    const [items, keys] = [this.#items, this.#keys]
    const item = items[from]!
    const key = keys[from]!
    let at = from
    for (let child = 2 * at + 1; child < keys.length; child = 2 * at + 1) {
      if (child + 1 < keys.length && keys[child + 1]! < keys[child]!) child++
      if (keys[child]! >= key) break
      items[at] = items[child]!
      keys[at] = keys[child]!
      at = child
    }
    items[at] = item
    keys[at] = key
  }

  #rise(from: number): void {
    const [items, keys] = [this.#items, this.#keys]
    const item = items[from]!
    const key = keys[from]!
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (keys[parent]! <= key) break
      items[at] = items[parent]!
      keys[at] = keys[parent]!
      at = parent
    }
    items[at] = item
    keys[at] = key
  }
}
