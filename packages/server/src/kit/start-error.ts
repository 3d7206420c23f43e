/** Failures of the start that a person can fix: one readable line and an exit code, never a stack trace. */

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

/** What is to listen where, and the settings that say so. */
type ListenAttempt = { server: string; host: string; port: number; settings: { host: string; port: string } }

const reasons: Record<string, (attempt: ListenAttempt) => string> = {
  EADDRINUSE: ({ settings }) =>
    `the port is in use. Stop what listens there, or set ${settings.port} to another port (0 takes a free one).`,
  EACCES: ({ settings }) => `that port needs privileges. Set ${settings.port} to one above 1023.`,
  EADDRNOTAVAIL: ({ settings }) => `this machine has no such address. Correct ${settings.host}.`,
  // What Bun says of a name that it cannot resolve.
  EINVAL: ({ settings }) => `the host is unknown here. Correct ${settings.host}.`,
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
  const { server, host, port } = attempt
  const { code, message } =
    cause instanceof Error ? (cause as NodeJS.ErrnoException) : { code: undefined, message: String(cause) }
  const reason = reasons[code ?? '']?.(attempt) ?? `${message} (${code ?? 'no code'})`
  return new StartError(`The ${server} cannot listen on ${host}:${port}: ${reason}`, exitCodes.failed, { cause })
}
