/** A round through all logs, a few at a time: never a list of all of them, and never all of them in one turn. */

/** So many logs are passed over in one turn. */
const MOST_STEPS = 5000

/**
 * `isDue` says which logs are part of a round when their turn comes, `isFirst` which of them come ahead of the rest.
 */
type Which<Log> = { readonly isDue: (log: Log) => boolean; readonly isFirst?: (log: Log) => boolean }

/** A round; over before `begin`. */
export class Round<Log> {
  readonly #logs: ReadonlyMap<string, Log>
  readonly #which: Which<Log>
  #next: Iterator<Log | undefined> | undefined

  constructor(logs: ReadonlyMap<string, Log>, which: Which<Log>) {
    this.#logs = logs
    this.#which = which
  }

  /** True where nothing is left of it. */
  get isOver(): boolean {
    return this.#next === undefined
  }

  /** Begins it anew. */
  begin(): void {
    this.#next = this.#inOrder()
  }

  /** The next ones, so many at most. There may be more, also where there are none now: then those were not due. */
  take(most: number): Log[] {
    const taken: Log[] = []
    for (let steps = 0; this.#next !== undefined && taken.length < most && steps < MOST_STEPS; steps++) {
      const { value, done } = this.#next.next()
      if (done) this.#next = undefined
      else if (value !== undefined) taken.push(value)
    }
    return taken
  }

  /** A map that grows meanwhile is gone through to its new end, and what is removed from it does not come. */
  *#inOrder(): Generator<Log | undefined> {
    const { isDue, isFirst } = this.#which
    const due = (log: Log) => (isDue(log) ? log : undefined)
    if (isFirst !== undefined) for (const log of this.#logs.values()) yield isFirst(log) ? due(log) : undefined
    for (const log of this.#logs.values()) yield due(log)
  }
}
