/** Finds the log that holds the oldest message of all: a heap whose keys are put right when they come to the top. */

/** Something with an oldest message. */
export type Aged = {
  /** The time of its oldest message, undefined while it has none. It only grows while it has one. */
  oldestMs(): number | undefined
}

/** The members by age. Keys only grow, so a stale key at the top is renewed and sifted down: no work where none is asked for. */
export type OldestFirst<T extends Aged> = {
  add(item: T): void
  /** The one with the oldest message; those without any are dropped on the way, and `dropped` is told. */
  peek(): T | undefined
  /** Drops those that hold nothing, where they are more than `alive`, the number of those that do. */
  prune(alive: number): void
}

/** A heap by age. `dropped` hears of members that left because they hold nothing: they are added anew with their next message. */
export function createOldestFirst<T extends Aged>(dropped: (item: T) => void): OldestFirst<T> {
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
    add(item) {
      heap.push({ item, key: item.oldestMs() ?? 0 })
      rise()
    },
    peek() {
      for (let top = heap[0]; top !== undefined; top = heap[0]) {
        const now = top.item.oldestMs()
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
        if (item.oldestMs() === undefined) dropped(item)
        else this.add(item)
      }
    },
  }
}
