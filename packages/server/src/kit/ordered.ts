/**
 * Lists in the order in which their items were made, in which a place is found without a look at what comes before it:
 * what pages of lists are cut from.
 */

/** Something with a number that counts up with each one made. */
export type Numbered = { readonly seq: number }

/** The gaps that removed items leave are closed when there are so many, and more of them than a quarter of the list. */
const FEW_GAPS = 32

/** Items in their order. A class, because each room has one: methods are shared. */
export class Ordered<T extends Numbered> {
  #items: (T | undefined)[] = []
  #seqs: number[] = []
  #gaps = 0
  /** Counts the times that gaps were closed: an iterator has to find its place anew then. */
  #era = 0

  get size(): number {
    return this.#items.length - this.#gaps
  }

  /** Adds an item that was made after all others. */
  add(item: T): void {
    this.#items.push(item)
    this.#seqs.push(item.seq)
  }

  delete(item: T): void {
    const at = this.#placeOf(item.seq)
    if (this.#items[at] !== item) return
    this.#items[at] = undefined
    this.#gaps++
    if (this.#gaps > FEW_GAPS && 4 * this.#gaps > this.#items.length) this.#close()
  }

  /** The items with a number above `seq`, oldest first. Items may come and go while it is iterated. */
  *after(seq: number): Generator<T, void, void> {
    let last = seq
    let era = -1
    for (let at = 0; ; at++) {
      if (era !== this.#era) {
        era = this.#era
        at = this.#placeOf(last + 1)
      }
      if (at >= this.#items.length) return
      const item = this.#items[at]
      last = this.#seqs[at]!
      if (item !== undefined) yield item
    }
  }

  /** The index of the first item whose number is `seq` or above. */
  #placeOf(seq: number): number {
    let low = 0
    let high = this.#seqs.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#seqs[middle]! < seq) low = middle + 1
      else high = middle
    }
    return low
  }

  #close(): void {
    this.#items = this.#items.filter((item) => item !== undefined)
    this.#seqs = this.#items.map((item) => item!.seq)
    this.#gaps = 0
    this.#era++
  }
}
