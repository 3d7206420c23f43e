/** Finds the item that comes first by a key that only grows: a heap whose keys are put right when they come to the top. */

/** Items by key. A stale key at the top is renewed and sifted down: no work where none is asked for. */
export type OldestFirst<T> = {
  readonly size: number
  add(item: T): void
  /** The item with the smallest key; those without a key are dropped on the way, and `dropped` is called with them. */
  peek(): T | undefined
  /** Drops those without a key, where the heap has more than twice as many items as `alive`, the number of those with one. */
  prune(alive: number): void
}

/** What a heap goes by. */
export type OldestFirstOptions<T> = {
  /** The key of an item, undefined while it has none. It only grows while there is one. */
  keyOf(item: T): number | undefined
  /** Called with each item that left because it had no key: it may be added again. */
  dropped?(item: T): void
}

/** An empty heap. */
export function createOldestFirst<T>({ keyOf, dropped = () => {} }: OldestFirstOptions<T>): OldestFirst<T> {
  let heap: { item: T; key: number }[] = []

  const sift = () => {
    let at = 0
    const top = heap[0]!
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]!.key < heap[child]!.key) child++
      if (heap[child]!.key >= top.key) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = top
  }
  const rise = () => {
    let at = heap.length - 1
    const last = heap[at]!
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (heap[parent]!.key <= last.key) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = last
  }
  const removeTop = () => {
    const last = heap.pop()!
    if (heap.length > 0) {
      heap[0] = last
      sift()
    }
  }

  return {
    get size() {
      return heap.length
    },
    add(item) {
      heap.push({ item, key: keyOf(item) ?? 0 })
      rise()
    },
    peek() {
      for (let top = heap[0]; top !== undefined; top = heap[0]) {
        const now = keyOf(top.item)
        if (now === top.key) return top.item
        if (now === undefined) {
          removeTop()
          dropped(top.item)
        } else {
          top.key = now
          sift()
        }
      }
      return undefined
    },
    prune(alive) {
      if (heap.length <= 2 * alive + 64) return
      const all = heap
      heap = []
      for (const { item } of all) {
        if (keyOf(item) === undefined) dropped(item)
        else this.add(item)
      }
    },
  }
}
