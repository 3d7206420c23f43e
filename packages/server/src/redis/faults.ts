/** What Redis answers when it does not do what it was asked, and what follows from it. */

/**
 * - `reload`: the script is not there; it did not run. It is loaded, and the call made again.
 * - `refused`: the call did not run, and others would not either: Redis is away as far as writing goes.
 * - `unknown`: it may have run or not.
 */
export type FaultOutcome = 'reload' | 'refused' | 'unknown'

/**
 * An answer that is not in the form that its question has: a connection on which that comes is out of step, and nothing
 * that comes later on it can be trusted.
 */
export class UnreadableReply extends Error {
  readonly code = 'unreadable'
  constructor(what: string, reply: unknown) {
    super(`unreadable reply: ${what}: ${JSON.stringify(reply)?.slice(0, 200)}`)
  }
}

/** The first word of an answer that says that nothing was done, and why this node has to look for another way. */
const REFUSALS = new Set([
  'READONLY',
  'LOADING',
  'MISCONF',
  'OOM',
  'MASTERDOWN',
  'NOREPLICAS',
  'CLUSTERDOWN',
  'TRYAGAIN',
  'MOVED',
  'ASK',
  'BUSY',
  'NOAUTH',
  'NOPERM',
  'WRONGPASS',
  // Ours: a later connection of this node has taken over, and what an earlier one sent is not done any more.
  'FENCED',
])

/** True for an answer of Redis, as opposed to the lack of one. */
export const isReply = (problem: unknown): problem is Error => problem instanceof Error && problem.name === 'ReplyError'

/** What became of a call that failed. */
export function outcomeOf(problem: unknown): FaultOutcome {
  const word = wordOf(problem)
  if (word === 'NOSCRIPT') return 'reload'
  return REFUSALS.has(word) ? 'refused' : 'unknown'
}

/** A word for logs and metrics: that of Redis, or of the system, or of ours. */
export function nameOfFault(problem: unknown): string {
  const word = wordOf(problem)
  if (REFUSALS.has(word) || word === 'NOSCRIPT' || word === 'WRONGTYPE') return word.toLowerCase()
  const { code, message } = (problem ?? {}) as { code?: unknown; message?: unknown }
  if (typeof code === 'string') return code.toLowerCase()
  return String(message).includes('timed out') ? 'timeout' : 'broken'
}

/** A script's own errors come as `FENCED ...`, or with `ERR` before them in older versions. */
function wordOf(problem: unknown): string {
  const message = problem instanceof Error ? problem.message : ''
  return /^(?:ERR )?-?([A-Z]+)\b/.exec(message)?.[1] ?? ''
}
