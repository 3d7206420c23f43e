/**
 * Work by turns: what takes long, or is asked for by many at once, is spread over turns of the event loop, so that all
 * other clients are served in between.
 *
 * One turn gives a few milliseconds to what has just arrived and a few to what waits. What waits is in three queues,
 * which take turns, a slice each: what connections have sent, all other work that has not begun, and long work that
 * has. So a client is not delayed by a hundred requests that came before its frame, and a short request not by the
 * whole of a long one. Long work is finished one by one: what a hundred requests have half done would fill the memory.
 */
import type { Pieces } from '@arqonbus/protocol'
import type { Clock } from './clock.ts'
import type { Maybe } from './maybe.ts'
import { Queue } from './queue.ts'

export type { Pieces }

/** Shares out the time of the loop. */
export type FairQueue = {
  /**
   * False when this turn has no time left for what arrives now: it has to wait. Called for every frame; `now` is the
   * clock's.
   */
  hasTime(now: number): boolean
  /**
   * Does work at once where this turn has time left and nothing waits, else in one of the next turns, in the order
   * asked.
   */
  take<T>(work: () => Maybe<T>): Maybe<T>
  /** Does work in pieces: at once as long as this turn has time left, and the rest in later turns. */
  run<T>(work: () => Pieces<Maybe<T>>): Maybe<T>
  /**
   * Takes what a connection has sent before, in the next turns. Connections take turns, a slice each, however much each
   * of them has sent.
   */
  takeSent<T>(work: () => Pieces<Maybe<T>>): Promise<T>
}

/** Does one slice of a job; true when the job is done. */
type Job = () => boolean

/** A turn gives this long to what arrives in it, and as long to what waits. */
const TURN_MS = 3

/** The beginning of a turn is known to this: to see each of them exactly would cost as much as a short turn does. */
const UNSEEN_MS = 1

/**
 * What is done on arrival is shorter than this. What takes longer was interrupted, by the collector or by another
 * process: what has arrived with it does not wait for that.
 */
const SHORT_MS = 1

/** A slice takes this long, or as long as the last piece in it. */
const SLICE_MS = 1

/**
 * Creates the queue. A clock that is not moved gives all the time there is. `settle` does what awaits the result of a
 * slice: without it that of all slices of a turn comes at once, at its end.
 */
export function createFairQueue(clock: Pick<Clock, 'monotonic'>, settle = () => {}): FairQueue {
  /** What connections have sent, a job for each connection. */
  const sent = new Queue<Job>()
  /** Other work that has not begun. */
  const fresh = new Queue<Job>()
  /** Long work: it has begun, and its first slice was too short. */
  const begun = new Queue<Job>()
  const lines = [sent, fresh, begun]
  /** The line of the last slice. */
  let last = 0
  let startedAt = Number.NEGATIVE_INFINITY
  /** When work of this turn was last seen to begin, or to end. */
  let seenAt = Number.NEGATIVE_INFINITY
  /** True while the end of the turn is awaited. */
  let isOpen = false

  const isIdle = () => sent.length === 0 && fresh.length === 0 && begun.length === 0

  const doSlice = () => {
    do last = (last + 1) % lines.length
    while (lines[last]!.length === 0)
    const line = lines[last]!
    if (line === begun) {
      if (begun.first!()) begun.shift()
      return
    }
    const job = line.shift()!
    if (!job()) (line === sent ? sent : begun).push(job)
  }

  const open = (now: number) => {
    startedAt = now
    seenAt = now
    if (isOpen) return
    isOpen = true
    setImmediate(end)
  }
  const end = () => {
    isOpen = false
    if (isIdle()) return
    const until = clock.monotonic() + TURN_MS
    do {
      doSlice()
      settle()
    } while (!isIdle() && clock.monotonic() < until)
    // What arrives next has its own time, less what the last slice took beyond that of what waited.
    open(Math.min(clock.monotonic(), until))
  }
  const hasTime: FairQueue['hasTime'] = (now) => {
    if (isOpen) startedAt += Math.max(0, now - seenAt - SHORT_MS)
    else if (now - startedAt >= UNSEEN_MS) open(now)
    seenAt = now
    return now - startedAt < TURN_MS
  }
  const wait = (line: Queue<Job>, job: Job) => {
    line.push(job)
    if (!isOpen) open(clock.monotonic())
  }
  const finishLater = <T>(line: Queue<Job>, pieces: Pieces<Maybe<T>>): Promise<T> =>
    new Promise((resolve, reject) => {
      wait(line, () => {
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

  const run: FairQueue['run'] = (work) => {
    const pieces = work()
    if (!isIdle() || !hasTime(clock.monotonic())) return finishLater(fresh, pieces)
    do {
      const piece = pieces.next()
      seenAt = clock.monotonic()
      if (piece.done) return piece.value
    } while (hasTime(seenAt))
    return finishLater(begun, pieces)
  }

  return {
    hasTime,
    take: (work) => run(() => inOnePiece(work)),
    run,
    takeSent: (work) => finishLater(sent, work()),
  }
}

// biome-ignore lint/correctness/useYield: one piece is the whole work
function* inOnePiece<T>(work: () => T): Pieces<T> {
  return work()
}
