/**
 * Work by turns: what a crowd asks for at once is spread over turns of the event loop, so that everybody else is heard in between. Five hundred
 * connections that are accepted in one turn would hold up the others for 80 ms, and as many joins for 100.
 */
import type { Clock } from './clock.ts'
import type { Maybe } from './maybe.ts'

/** Gives out the time of the loop. */
export type Turns = {
  /** Does it now where this turn of the loop has time left, else in one of the next: in the order asked. */
  take<T>(work: () => Maybe<T>): Maybe<T>
}

/** A turn ends its part of such work after this time: whoever does not wait in line waits for little more. */
const TURN_MS = 5

/** More than this do not wait: what waits is not counted by anybody's limits. */
const MOST_WAITING = 4096

/** Makes them. A clock that stands still gives all the time there is. */
export function createTurns(clock: Clock): Turns {
  const waiting: (() => void)[] = []
  let isTurn = false
  let startedAt = 0

  const begin = () => {
    isTurn = true
    startedAt = clock.now()
    setImmediate(end)
  }
  const isTimeLeft = () => clock.now() - startedAt < TURN_MS
  const end = () => {
    isTurn = false
    if (waiting.length === 0) return
    begin()
    do waiting.shift()!()
    while (waiting.length > 0 && isTimeLeft())
  }

  return {
    take(work) {
      if (!isTurn) begin()
      if ((waiting.length === 0 && isTimeLeft()) || waiting.length >= MOST_WAITING) return work()
      return new Promise((resolve, reject) => {
        waiting.push(() => {
          try {
            resolve(work())
          } catch (problem) {
            reject(problem)
          }
        })
      })
    },
  }
}
