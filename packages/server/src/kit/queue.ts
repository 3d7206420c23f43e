/** A queue whose `shift` takes the same time however long it is: that of an array moves everything behind. */

/** Taken items are dropped from the array when there are so many, and no fewer than there are others. */
const MOST_TAKEN = 64

/** First in, first out. A class, because each connection has one: methods are shared. */
export class Queue<T> {
  #items: (T | undefined)[] = []
  #taken = 0

  get length(): number {
    return this.#items.length - this.#taken
  }

  /** The one that is taken next. */
  get first(): T | undefined {
    return this.#items[this.#taken]
  }

  /** The first ones, at most so many; they stay. */
  peek(most: number): T[] {
    return this.#items.slice(this.#taken, this.#taken + most) as T[]
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined
    const item = this.#items[this.#taken]
    this.#items[this.#taken++] = undefined
    if (this.length === 0) {
      this.#items = []
      this.#taken = 0
    } else if (this.#taken >= MOST_TAKEN && this.#taken >= this.length) {
      this.#items = this.#items.slice(this.#taken)
      this.#taken = 0
    }
    return item
  }
}
