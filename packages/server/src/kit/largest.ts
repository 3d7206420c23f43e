/** The largest of many: which items they are, or only how large the largest is. */
import { Heap } from './heap.ts'

/** Keeps the largest of the items that are added, up to a number of them. */
export class LargestItems<T> {
  readonly #heap = new Heap<T>()
  readonly #most: number

  constructor(most: number) {
    this.#most = most
  }

  add(item: T, size: number): void {
    if (this.#heap.size < this.#most) return this.#heap.add(item, size)
    if (size <= this.#heap.topKey) return
    this.#heap.removeTop()
    this.#heap.add(item, size)
  }

  /** Takes all of them out, the largest first. */
  take(): readonly T[] {
    const rising: T[] = []
    for (let top = this.#heap.top; top !== undefined; top = this.#heap.top) {
      rising.push(top)
      this.#heap.removeTop()
    }
    return rising.reverse()
  }
}

/** The largest size among many things, whose sizes change by one at a time: none of them is looked at. */
export class LargestSize {
  /** How many things have each size above 0. */
  readonly #counts: number[] = [0]

  get largest(): number {
    return this.#counts.length - 1
  }

  /** A thing has grown to this size, by one. */
  grown(to: number): void {
    if (to > 1) this.#counts[to - 1]!--
    this.#counts[to] = (this.#counts[to] ?? 0) + 1
  }

  /** A thing has shrunk to this size, by one. */
  shrunk(to: number): void {
    if (to > 0) this.#counts[to]!++
    this.#counts[to + 1]!--
    while (this.#counts.length > 1 && this.#counts.at(-1) === 0) this.#counts.pop()
  }
}
