/** Wall time for timestamps, and running time for durations. Both are passed in, so that a test can set them. */

/** The end of a freeze: when that was, in running time, and how long it was. */
export type Thaw = { readonly at: number; readonly frozenMs: number }

/** There has been none. */
export const NO_THAW: Thaw = { at: Number.NEGATIVE_INFINITY, frozenMs: 0 }

/** The time. */
export type Clock = {
  /**
   * Wall time: milliseconds since 1970, for timestamps and positions. It steps, in either direction, when it is set.
   */
  now(): number
  /**
   * The wall time at a moment of `monotonic` that was just read: what `now` returned at most a fifth of a millisecond
   * before it. For what asks for every message, because reading a clock costs as much as a few per cent of one.
   */
  nowAt(at: number): number
  /**
   * Running time: milliseconds for durations, from some moment on. It never goes back, no step of the wall clock
   * changes it, and it leaves out the time in which the process was frozen: no peer could get a reply then, and nothing
   * it keeps grew old.
   */
  monotonic(): number
  /** When the process was frozen last; what was left out then. */
  thaw(): Thaw
  /** The wall time of a moment of `monotonic`, by the wall clock as it is set now. */
  wallOf(at: number): number
}

/**
 * How often the running time has to be read, so that a pause without reads can be distinguished from a frozen process.
 */
export const CLOCK_TICK_MS = 250

/** No timer of a process that runs is later than this, on a busy machine either. A longer pause counts as one tick. */
const FROZEN_MS = 3 * CLOCK_TICK_MS

/** A wall time serves for so long: a fifth of what it is exact to. */
const SAME_WALL_MS = 0.2

/** By so little two clocks that agree may differ: milliseconds of the wall clock are whole. */
const MOST_OFF_MS = 2

/**
 * Makes a clock. A process that was stopped (SIGSTOP), a machine that slept or was restored from a snapshot, and a
 * steady clock that was stepped all look the same: between two readings more time has passed than the tick allows.
 *
 * `wall` gives the milliseconds since 1970, `steady` milliseconds that pass, frozen or not. They should never go back;
 * where they do, or leap ahead, no time has passed.
 */
export function createClock({ wall = () => Date.now(), steady = () => performance.now() } = {}): Clock {
  let read = steady()
  let leftOut = 0
  let thaw = NO_THAW
  let offset = Number.NaN
  let wallAt = Number.NaN
  let lastWall = Number.NaN

  const monotonic = () => {
    const time = steady()
    const passed = time - read
    read = time
    if (passed > FROZEN_MS || passed < 0) leaveOut(passed)
    return time - leftOut
  }
  const leaveOut = (passed: number) => {
    leftOut += passed < 0 ? passed : passed - CLOCK_TICK_MS
    if (passed > 0) thaw = { at: read - leftOut, frozenMs: passed - CLOCK_TICK_MS }
  }

  return {
    now: wall,
    nowAt(at) {
      if (Math.abs(at - wallAt) < SAME_WALL_MS) return lastWall
      wallAt = at
      lastWall = wall()
      return lastWall
    },
    monotonic,
    thaw: () => thaw,
    wallOf(at) {
      const current = wall() - monotonic()
      if (!(Math.abs(current - offset) <= MOST_OFF_MS)) offset = current
      return at + offset
    },
  }
}

/** The clock of the machine. */
export const systemClock: Clock = createClock()

let cachedMs = Number.NaN
let cachedIso = ''
let cachedUpToN = ''

/**
 * ISO 8601 with milliseconds and `Z`. The last answer is kept: a burst has one timestamp, and making one costs more
 * than the rest of a stamp.
 */
export function isoTime(ms: number): string {
  if (ms !== cachedMs) cache(ms)
  return cachedIso
}

/** The first half of a position with its dash, `<ms>-`, kept likewise. */
export function positionUpToN(ms: number): string {
  if (ms !== cachedMs) cache(ms)
  return cachedUpToN
}

function cache(ms: number): void {
  cachedMs = ms
  cachedIso = new Date(ms).toISOString()
  cachedUpToN = `${ms}-`
}
