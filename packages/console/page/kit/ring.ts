/** The last so many of a stream of things: what is older is let go. */
export type Ring<T> = {
  readonly length: number
  /** How many there have ever been. */
  readonly total: number
  push(one: T): void
  /** The last `capacity` of them, oldest first. */
  list(): readonly T[]
  clear(): void
}

/** Makes a ring. It is an array that is cut when it has twice its capacity, so that to push costs the same however much was let go. */
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
