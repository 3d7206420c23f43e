/**
 * Finds the item that comes first by a key that only grows: a heap whose keys are put right when they come to the top.
 */

import { Heap } from './heap.ts'

/** Items by key. A stale key at the top is renewed and sifted down: no work where none is asked for. */
export type OldestFirst<T> = {
  readonly size: number
  add(item: T): void
  /** The item with the smallest key; those without a key are dropped on the way, and `dropped` is called with them. */
  peek(): T | undefined
  /**
   * Drops those without a key, where the heap has more than twice as many items as `alive`, the number of those with
   * one.
   */
  prune(alive: number): void
}

/** How a heap orders its items. */
type OldestFirstOptions<T> = {
  /** The key of an item, undefined while it has none. It only grows while there is one. */
  keyOf(item: T): number | undefined
  /** Called with each item that left because it had no key: it may be added again. */
  dropped?(item: T): void
}

/** An empty heap. */
export function createOldestFirst<T>({ keyOf, dropped = () => {} }: OldestFirstOptions<T>): OldestFirst<T> {
  const heap = new Heap<T>()
  return {
    get size() {
      return heap.size
    },
    add: (item) => heap.add(item, keyOf(item) ?? 0),
    peek() {
      for (let item = heap.top; item !== undefined; item = heap.top) {
        const now = keyOf(item)
        if (now === heap.topKey) return item
        if (now !== undefined) heap.renewTop(now)
        else {
          heap.removeTop()
          dropped(item)
        }
      }
      return undefined
    },
    prune(alive) {
      if (heap.size <= 2 * alive + 64) return
      heap.keep((item) => {
        const isKept = keyOf(item) !== undefined
        if (!isKept) dropped(item)
        return isKept
      })
    },
  }
}
