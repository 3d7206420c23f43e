/** Chance that can be had again: the same seed gives the same throws, on any machine. */

/** A source of throws. */
export type Random = {
  /** A whole number from 0 to below `count`. */
  below(count: number): number
  /** True so many times in a hundred. */
  chance(percent: number): boolean
  /** One of them. */
  pick<T>(items: readonly T[]): T
}

/** Makes one (mulberry32, public domain). */
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
