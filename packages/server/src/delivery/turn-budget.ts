/**
 * How much is given out in one turn of the event loop.
 *
 * What is published goes out when the turn ends, in one write for each connection: a write takes 4 to 9 µs, each
 * further message in it 0.15 µs, and each KiB three times that. So writes and messages have a bound of their own. What
 * is given out at once and what waited for its turn are counted apart: a feed that is flooded takes no time from those
 * that are not.
 */

/** Connections that are written to in one turn, unless the first topic alone has more. */
export const MOST_WRITES = 1000
/** What one turn gives out: one for each delivery, and three for each KiB of it. */
export const MOST_UNITS = 32_000

/** The next turn is asked for once this much was spent: asking costs a turn of the loop. */
const ASK_WRITES = MOST_WRITES / 2
const ASK_UNITS = MOST_UNITS / 4

const UNITS_PER_CHAR = 3 / 1024

/** What it costs to deliver a text to one subscriber. */
export const unitsOf = (text: string): number => 1 + text.length * UNITS_PER_CHAR

/** What may still be given out in this turn. */
export class Allowance {
  #writes = 0
  #units = 0

  /** True where so much more is within the bounds; the first of a turn always is. */
  admits(writes: number, units: number): boolean {
    if (this.#units === 0) return true
    return this.#writes + writes <= MOST_WRITES && this.#units + units <= MOST_UNITS
  }

  /** Counts it; true if so much was spent that the next turn should be asked for. */
  spend(writes: number, units: number): boolean {
    this.#writes += writes
    this.#units += units
    return this.#writes > ASK_WRITES || this.#units > ASK_UNITS
  }

  /** A new turn has begun. */
  reset(): void {
    this.#writes = 0
    this.#units = 0
  }
}
