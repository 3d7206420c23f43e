/** The process: it starts the server of `server.ts`, and ends it by signals, with an exit code. */
import { constants } from 'node:os'
import { isatty } from 'node:tty'
import { CodedError } from '@arqonbus/protocol'
import { isColorSupported } from 'pino-pretty'
import type { ReloadPart } from './compose/settings-reload.ts'
import { exitCodes, StartError } from './kit/start-error.ts'
import { ignoresHangup, thisMachine } from './kit/system-limits.ts'
import { after } from './kit/timer.ts'
import { versionInfo } from './kit/version.ts'
import { openLog, type ProcessLog } from './observability/logger.ts'
import { type RunningServer, type StartOptions, startServer } from './server.ts'

export { exitCodes, thisMachine, versionInfo }

/** How long the last log lines may take to be written. */
const EXIT_FLUSH_MS = 1000

/**
 * npm, launchers and service managers pass on a signal that the process has had already: repeats within this are one
 * signal.
 */
const REPEAT_MS = 250

/** What a drain may take beyond its timeout before it counts as stuck. */
const STUCK_MS = 5000

/** What the process is started with. */
export type ProcessOptions = Pick<StartOptions, 'config' | 'consoleFiles' | 'warnings' | 'readSettings'>

/**
 * Runs the server until a signal ends it; where it cannot start, one line on the standard error says why, and the
 * process ends.
 */
export async function runServer({ config, ...options }: ProcessOptions): Promise<void> {
  const log = openLog({
    level: config.logLevel,
    format: config.logFormat,
    terminal: isatty(1),
    colors: isColorSupported,
  })
  const signals = watchSignals(log, config.drainDelayMs + config.drainTimeoutMs)
  dieOnTheUnexpected(log, signals)
  try {
    const server = await startServer({ config, logger: log.logger, reloadParts: [levelOf(log)], ...options })
    const { version } = versionInfo
    log.logger.info({
      event: 'listening',
      version,
      pid: process.pid,
      bus_url: server.busUrl,
      telemetry_url: server.telemetryUrl,
      http_url: server.httpUrl,
      metrics_url: server.metricsUrl,
    })
    log.print(welcome(server, config.console))
    signals.started(server)
  } catch (error) {
    if (!(error instanceof StartError)) throw error
    await log.flush(EXIT_FLUSH_MS)
    process.stderr.write(`arqonbus: ${error.message}\n`)
    process.exit(error.exitCode)
  }
}

const levelOf = (log: ProcessLog): ReloadPart => ({
  name: 'log_level',
  settings: ['logLevel'],
  prepare:
    ({ logLevel }) =>
    () =>
      log.setLevel(logLevel),
})

/**
 * Every signal that asks a process to end. A hangup is not among them where the process was started to survive it
 * (`nohup`).
 */
function endingSignals(): NodeJS.Signals[] {
  return ['SIGTERM', 'SIGINT', 'SIGQUIT', ...(ignoresHangup() ? [] : ['SIGHUP' as const])]
}

type SignalWatch = {
  /** The server is there: a signal that came before ends it now. */
  started(server: RunningServer): void
  /** Logs what ends with the process, where it ends without a drain. */
  logLoss(reason: string): void
}

/**
 * The first signal drains and exits with 0; a second one exits at once. `drainMs` is the longest that a drain takes.
 */
function watchSignals(log: ProcessLog, drainMs: number): SignalWatch {
  let server: RunningServer | undefined
  let first: { signal: NodeJS.Signals; at: number } | undefined

  const exit = async (code: number, flushMs = EXIT_FLUSH_MS) => {
    await log.flush(flushMs)
    process.exit(code)
  }
  const logLoss = (reason: string) => server?.logLoss(reason)
  const exitWithoutDrain = (code: number, reason: string, flushMs?: number) => {
    logLoss(reason)
    void exit(code, flushMs)
  }
  const drain = async (running: RunningServer, signal: NodeJS.Signals) => {
    after(drainMs + STUCK_MS, () => {
      log.logger.error({ event: 'drain_stuck' })
      exitWithoutDrain(exitCodes.failed, 'the drain was stuck')
    })
    await running.drain(signal)
    log.logger.info({ event: 'stopped', signal })
    await exit(exitCodes.ok)
  }
  const onSignal = (signal: NodeJS.Signals) => {
    const at = performance.now()
    if (first === undefined) {
      first = { signal, at }
      log.logger.info({ event: 'stopping', signal })
      // Before the start is through, it is finished first: what it opened must be closed in order.
      if (server !== undefined) void drain(server, signal)
    } else if (at - first.at > REPEAT_MS) {
      log.logger.warn({ event: 'stopped_at_once', signal })
      exitWithoutDrain(128 + constants.signals[signal], 'a second signal', EXIT_FLUSH_MS / 10)
    }
  }
  for (const signal of endingSignals()) process.on(signal, onSignal)
  process.on('SIGUSR2', () => void reload(server))
  return {
    logLoss,
    started(running) {
      server = running
      if (first !== undefined) void drain(running, first.signal)
    },
  }
}

/** A reload by signal: the log has its outcome. Before the start is through it means nothing: the settings are new. */
async function reload(server: RunningServer | undefined): Promise<void> {
  try {
    await server?.reload()
  } catch (problem) {
    if (!(problem instanceof CodedError)) throw problem
  }
}

/** An error that was not caught leaves an unknown state: log it, and end. */
function dieOnTheUnexpected(log: ProcessLog, { logLoss }: SignalWatch): void {
  let dying = false
  const die = (error: unknown) => {
    if (dying) return
    dying = true
    try {
      log.fatal({ event: 'crashed', error })
      logLoss('a crash')
    } finally {
      void log.flush(EXIT_FLUSH_MS / 5).then(() => process.exit(exitCodes.failed))
    }
  }
  process.on('uncaughtException', die)
  process.on('unhandledRejection', die)
}

/** For a person who has just typed `npm start`. */
function welcome({ busUrl, telemetryUrl, httpUrl }: RunningServer, hasConsole: boolean): string {
  const url = new URL(busUrl)
  url.search = '?client_id=me&join=science:general'
  return `
  ArqonBus ${versionInfo.version} is up.

    bus        ${busUrl}
    telemetry  ${telemetryUrl ?? 'off'}
    health     ${httpUrl}/health${hasConsole ? `\n    console    ${httpUrl}/` : ''}

  Talk to it:  npx wscat -c '${url}'
  then paste:  {"version":"1.0","id":"arq_1","type":"event","room":"science","channel":"general","from":"me","timestamp":"${new Date().toISOString()}","payload":{"text":"hello"}}
  Ctrl-C stops it.

`
}
