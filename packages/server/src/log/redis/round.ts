/** A round through all logs, a few at a time: never a list of all of them, and never all of them in one turn. */

/** A round. */
export type Round<Log> = {
  /** True where nothing is left of it. */
  readonly isOver: boolean
  /** Begins it anew. */
  begin(): void
  /** The next ones, so many at most. There may be more, also where there are none now: then those were not due. */
  take(most: number): Log[]
}

/** So many logs are passed over in one turn. */
const MOST_STEPS = 5000

/** Nothing is left of it before `begin`. `isDue` says which logs are part of it when their turn comes, `isFirst` which of them come ahead of the rest. */
export function createRound<Log>(
  logs: ReadonlyMap<string, Log>,
  of: { readonly isDue: (log: Log) => boolean; readonly isFirst?: (log: Log) => boolean },
): Round<Log> {
  let next: Iterator<Log | undefined> | undefined

  /** A map that grows meanwhile is gone through to its new end, and what is removed from it does not come. */
  function* inOrder(): Generator<Log | undefined> {
    const { isDue, isFirst } = of
    const due = (log: Log) => (isDue(log) ? log : undefined)
    if (isFirst !== undefined) for (const log of logs.values()) yield isFirst(log) ? due(log) : undefined
    for (const log of logs.values()) yield due(log)
  }

  return {
    get isOver() {
      return next === undefined
    },
    begin() {
      next = inOrder()
    },
    take(most) {
      const taken: Log[] = []
      for (let steps = 0; next !== undefined && taken.length < most && steps < MOST_STEPS; steps++) {
        const { value, done } = next.next()
        if (done) next = undefined
        else if (value !== undefined) taken.push(value)
      }
      return taken
    },
  }
}
