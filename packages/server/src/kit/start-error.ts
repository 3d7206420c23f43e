/** Failures of the start that a person can fix: one readable line and an exit code, never a stack trace. */

import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'

/** The exit codes of the process (sysexits.h has 78 for a configuration that cannot be carried out). */
export const exitCodes = { ok: 0, failed: 1, configuration: 78 } as const

/** The start cannot go on. `message` is one line that names the thing and what to do about it. */
export class StartError extends Error {
  constructor(
    message: string,
    readonly exitCode: (typeof exitCodes)['failed' | 'configuration'] = exitCodes.failed,
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.name = 'StartError'
  }
}

/** A server cannot listen; `attempt` says where. */
class ListenError extends StartError {
  constructor(
    readonly attempt: ListenAttempt,
    reason: string,
    options: ErrorOptions,
  ) {
    const { server, host, port } = attempt
    super(`The ${server} cannot listen on ${host}:${port}: ${reason}`, exitCodes.failed, options)
  }
}

/** What is to listen where, and the settings that say so. */
type ListenAttempt = { server: string; host: string; port: number; settings: { host: string; port: string } }

const reasons: Record<string, (attempt: ListenAttempt) => string> = {
  EADDRINUSE: ({ settings }) =>
    `the port is in use. Stop what listens there, or set ${settings.port} to another port (0 takes a free one).`,
  EACCES: ({ settings }) => `that port needs privileges. Set ${settings.port} to one above 1023.`,
  EADDRNOTAVAIL: ({ settings }) => `this machine has no such address. Correct ${settings.host}.`,
  // A link-local address without its interface.
  EINVAL: ({ settings }) => `this is no address to listen on. Correct ${settings.host}.`,
}

/** Begins to listen; where that fails, throws a `StartError` that says what it means to a person. */
export function orListenError<T>(listen: () => T, attempt: ListenAttempt): T {
  try {
    return listen()
  } catch (cause) {
    throw listenError(cause, attempt)
  }
}

/** What a failure to listen means to a person. */
export function listenError(cause: unknown, attempt: ListenAttempt): StartError {
  const { code, message } =
    cause instanceof Error ? (cause as NodeJS.ErrnoException) : { code: undefined, message: String(cause) }
  const reason = reasons[code ?? '']?.(attempt) ?? `${message} (${code ?? 'no code'})`
  return new ListenError(attempt, reason, { cause })
}

/**
 * The problem of a start, as it is. For a host name that cannot be resolved the runtime gives the code of whatever
 * failed last, so that is asked for here.
 */
export async function explained(problem: unknown): Promise<unknown> {
  if (!(problem instanceof ListenError)) return problem
  const { attempt } = problem
  if (isIP(attempt.host) !== 0) return problem
  try {
    await lookup(attempt.host)
    return problem
  } catch (cause) {
    return new ListenError(attempt, `the host cannot be resolved. Correct ${attempt.settings.host}.`, { cause })
  }
}
