/** What Redis answers when it does not do what it was asked, and what follows from it. */
import { MissingRights } from './rights.ts'

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

/** A Redis that the bus cannot use as it is: waiting does not help. */
export class UnfitRedis extends Error {
  readonly code: keyof typeof unfit
  constructor(code: keyof typeof unfit, version?: string) {
    super(`${unfit[code]}${version === undefined ? '' : `, and this one is ${version}`}`)
    this.code = code
  }
}

const unfit = {
  redis_cluster: 'this Redis is in cluster mode, which is not supported: use one with cluster-enabled no',
  redis_sentinel: 'this is a Redis Sentinel, which is not supported: name the primary, or a proxy that follows it',
  redis_too_old: 'Redis must be 7.0 or later',
} as const

/** A fault as it is logged. */
export type RedisFault = {
  /** One word: see `nameOfFault`. */
  readonly reason: string
  /** The command that Redis refused. */
  readonly command?: string
  /** What Redis or the system said. */
  readonly error?: string
  /** What to do, where the fault does not pass by itself. */
  readonly advice?: string
}

/** What to do about faults that waiting does not help against, by their name. */
const advices: Readonly<Record<string, string>> = {
  noperm: 'give the user of REDIS_URL the rights that docs/guide/redis.md#a-user-for-the-bus lists',
  noauth: 'this Redis asks for a password: set it in REDIS_URL or REDIS_PASSWORD',
  wrongpass: 'this Redis does not know the user, or the password is another: correct REDIS_URL or REDIS_PASSWORD',
  enoent: 'a file is missing: look at REDIS_TLS_CA, REDIS_TLS_CERT, REDIS_TLS_KEY, or the path of the socket',
  eacces: 'permission denied: look at REDIS_TLS_CA, REDIS_TLS_CERT, REDIS_TLS_KEY, or the path of the socket',
  ...unfit,
}

const LONGEST_ERROR = 300

/** What is logged of a fault. Arguments of commands are never in it: they may be secret. */
export function describeFault(fault: unknown): RedisFault {
  const { cause } = (fault ?? {}) as { cause?: unknown }
  const problem = isReply(cause) ? cause : fault
  const reason = nameOfFault(problem)
  const advice = advices[reason] ?? (isOfTls(reason) ? TLS_ADVICE : undefined)
  const hasMessage = isReply(problem) || advice !== undefined
  const command = commandOf(problem)
  return {
    reason,
    ...(command !== undefined && { command }),
    ...(hasMessage && { error: String((problem as Error).message).slice(0, LONGEST_ERROR) }),
    ...(advice !== undefined && { advice }),
  }
}

const TLS_ADVICE =
  'the certificates do not fit: look at REDIS_TLS_CA, REDIS_TLS_CERT, REDIS_TLS_KEY and the host of REDIS_URL'
const isOfTls = (reason: string): boolean => /cert|ssl|tls|self_signed|unable_to_verify/.test(reason)

/** The command of an answer that refuses it: where a script was refused one, that of the script. */
function commandOf(problem: unknown): string | undefined {
  if (problem instanceof MissingRights) return problem.commands
  if (!isReply(problem)) return undefined
  const [, named] = /\bthe '([a-z|]+)' command/.exec(problem.message) ?? []
  return named ?? (problem as { command?: { name?: string } }).command?.name
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
