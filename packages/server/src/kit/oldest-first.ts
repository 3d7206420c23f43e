/**
 * Finds the item that comes first by a key that only grows: a heap whose keys are put right when they come to the top.
 */

import { Heap } from './heap.ts'

/** Items by key. A stale key at the top is renewed and sifted down: no work where none is asked for. */
export type OldestFirst<T> = ReturnType<typeof createOldestFirst<T>>

/** How a heap orders its items. */
type OldestFirstOptions<T> = {
  /** The key of an item, undefined while it has none. It only grows while there is one. */
  keyOf(item: T): number | undefined
  /** Called with each item that left because it had no key: it may be added again. */
  dropped?(item: T): void
}

/** An empty heap. */
export function createOldestFirst<T>({ keyOf, dropped = () => {} }: OldestFirstOptions<T>) {
  const heap = new Heap<T>()
  return {
    get size(): number {
      return heap.size
    },
    add: (item: T): void => heap.add(item, keyOf(item) ?? 0),
    /** The item with the smallest key; those without a key are dropped on the way, and `dropped` is called with them. */
    peek(): T | undefined {
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
    /**
     * Drops those without a key, where the heap has more than twice as many items as `alive`, the number of those with
     * one.
     */
    prune(alive: number): void {
      if (heap.size <= 2 * alive + 64) return
      heap.keep((item) => {
        const isKept = keyOf(item) !== undefined
        if (!isKept) dropped(item)
        return isKept
      })
    },
  }
}
