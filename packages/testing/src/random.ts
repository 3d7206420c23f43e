/** Repeatable randomness: the same seed gives the same values on any machine. */

/** A source of random values. */
export type Random = {
  /** An integer from 0 to below `count`. */
  below(count: number): number
  /** True with a probability of `percent` percent. */
  chance(percent: number): boolean
  /** A random item. */
  pick<T>(items: readonly T[]): T
}

/** Creates a source of random values (mulberry32, public domain). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const below = (count: number): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * count)
  }
  return {
    below,
    chance: (percent) => below(100) < percent,
    pick: (items) => items[below(items.length)]!,
  }
}
