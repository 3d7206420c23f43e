/** The last items of a sequence; older ones are dropped. */
export type Ring<T> = {
  readonly length: number
  /** The number of all items pushed so far. */
  readonly total: number
  push(one: T): void
  /** The last `capacity` items, oldest first. */
  list(): readonly T[]
  clear(): void
}

/**
 * Creates a ring: an array that is cut when it reaches twice its capacity, so the cost of a push does not depend on the
 * number of dropped items.
 */
export function createRing<T>(capacity: number): Ring<T> {
  let kept: T[] = []
  let total = 0
  return {
    get length() {
      return Math.min(kept.length, capacity)
    },
    get total() {
      return total
    },
    push(one) {
      kept.push(one)
      total += 1
      if (kept.length >= capacity * 2) kept = kept.slice(-capacity)
    },
    list: () => kept.slice(-capacity),
    clear() {
      kept = []
    },
  }
}
