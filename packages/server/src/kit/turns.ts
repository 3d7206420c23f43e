/**
 * Work by turns: what takes long, or is asked for by many at once, is spread over turns of the event loop, so that everybody else is served in between.
 *
 * One turn gives a few milliseconds to what has just arrived and a few to the line of what waits. In the line jobs take turns, a slice each: a long job
 * delays a short one that came after it by a slice and not by its length.
 */
import type { Pieces } from '@arqonbus/protocol'
import type { Clock } from './clock.ts'
import type { Maybe } from './maybe.ts'
import { Queue } from './queue.ts'

export type { Pieces }

/** Shares out the time of the loop. */
export type Turns = {
  /** False when this turn has no time left for what arrives now: it belongs in the line. Called for every frame; `now` is the clock's. */
  hasTime(now: number): boolean
  /** Does work at once where this turn has time left and nothing waits, else in one of the next turns, in the order asked. */
  take<T>(work: () => Maybe<T>): Maybe<T>
  /** The same for work in pieces. */
  run<T>(work: () => Pieces<Maybe<T>>): Maybe<T>
  /** The same in the next turns, whatever time this one has. */
  later<T>(work: () => Pieces<Maybe<T>>): Promise<T>
}

/** A turn gives this long to what arrives in it, and as long to the line. */
const TURN_MS = 3

/** The beginning of a turn is known to this: to see each of them exactly would cost as much as a short turn does. */
const UNSEEN_MS = 1

/** A job that has had this long goes to the end of the line. */
const SLICE_MS = 1

/**
 * Makes them. A clock that is not moved gives all the time there is. `settle` does what awaits the result of a slice: without it that of all slices of a turn
 * comes at once, at its end.
 */
export function createTurns(clock: Pick<Clock, 'monotonic'>, settle = () => {}): Turns {
  /** Each does one slice; true when it is done. */
  const line = new Queue<() => boolean>()
  let startedAt = Number.NEGATIVE_INFINITY
  /** True while the end of the turn is awaited. */
  let isOpen = false

  const open = (now: number) => {
    startedAt = now
    if (isOpen) return
    isOpen = true
    setImmediate(end)
  }
  const end = () => {
    isOpen = false
    if (line.length === 0) return
    const until = clock.monotonic() + TURN_MS
    do {
      const slice = line.shift()!
      if (!slice()) line.push(slice)
      settle()
    } while (line.length > 0 && clock.monotonic() < until)
    // What arrives next has its own time, less what the last slice took beyond that of the line.
    open(Math.min(clock.monotonic(), until))
  }
  const hasTime: Turns['hasTime'] = (now) => {
    const passed = now - startedAt
    if (isOpen && passed >= 0) return passed < TURN_MS
    if (!(passed >= 0 && passed < UNSEEN_MS)) open(now)
    return true
  }
  const wait = (slice: () => boolean) => {
    line.push(slice)
    if (!isOpen) open(clock.monotonic())
  }
  const finishLater = <T>(pieces: Pieces<Maybe<T>>): Promise<T> =>
    new Promise((resolve, reject) => {
      wait(() => {
        const until = clock.monotonic() + SLICE_MS
        try {
          do {
            const piece = pieces.next()
            if (!piece.done) continue
            resolve(piece.value)
            return true
          } while (clock.monotonic() < until)
        } catch (problem) {
          reject(problem)
          return true
        }
        return false
      })
    })

  const mayBegin = () => line.length === 0 && hasTime(clock.monotonic())

  return {
    hasTime,
    take(work) {
      if (mayBegin()) return work()
      return new Promise((resolve, reject) => {
        wait(() => {
          try {
            resolve(work())
          } catch (problem) {
            reject(problem)
          }
          return true
        })
      })
    },
    run(work) {
      const pieces = work()
      if (mayBegin()) {
        do {
          const piece = pieces.next()
          if (piece.done) return piece.value
        } while (hasTime(clock.monotonic()))
      }
      return finishLater(pieces)
    },
    later: (work) => finishLater(work()),
  }
}
