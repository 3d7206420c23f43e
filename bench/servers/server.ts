import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Endpoint } from '../load/connection.ts'

/** A server under load: a child process on its own core. */
export interface Server {
  readonly pid: number
  readonly endpoint: Endpoint
  /** Base address of health, metrics and version; the bare server has none. */
  readonly httpUrl: string | undefined
  /** The URL of its telemetry server; the bare server has none. */
  readonly telemetryUrl: string | undefined
  /** Whether it adds positions to deliveries. */
  readonly positions: boolean
  stop(): Promise<void>
}

export type ServerKind = 'bus' | 'bare'

/** The core of the server; the load uses another, so that neither takes time from the other. */
export const serverCore = 0
export const loadCore = 1

export async function startServer(kind: ServerKind, settings: Record<string, string> = {}): Promise<Server> {
  // A file instead of a pipe: a busy load process would read the pipe late, and a full pipe stops the server.
  const log = join(tmpdir(), `arqonbus-bench-${process.pid}-${serial++}.log`)
  writeFileSync(log, '')
  const child = Bun.spawn(onCore(serverCore, [process.execPath, ...programs[kind]]), {
    cwd: root,
    env: { ...process.env, ...(kind === 'bus' ? { ...busSettings, ...settings } : {}) },
    stdout: Bun.file(log),
    stderr: 'inherit',
  })
  // A load that throws must not leave its server running.
  process.on('exit', () => {
    child.kill('SIGKILL')
    rmSync(log, { force: true })
  })
  const {
    bus_url: url,
    http_url: httpUrl,
    telemetry_url: telemetryUrl,
  } = await listening(log, () => child.exitCode === null)
  return {
    pid: child.pid,
    endpoint: kind === 'bus' ? busEndpoint(url) : bareEndpoint(url),
    httpUrl,
    telemetryUrl,
    positions: kind === 'bus',
    async stop() {
      child.kill('SIGTERM')
      const impatience = setTimeout(() => child.kill('SIGKILL'), 15_000)
      await child.exited
      clearTimeout(impatience)
      rmSync(log, { force: true })
    },
  }
}

let serial = 0

/** The command that runs `command` on one core; without `taskset` it runs unpinned, which the figures then show. */
export function onCore(core: number, command: string[]): string[] {
  return canPin() ? ['taskset', '-c', String(core), ...command] : command
}

/** Moves a running process, with all its threads, to one core. */
export function pin(pid: number, core: number): void {
  if (canPin()) Bun.spawnSync(['taskset', '-a', '-c', '-p', String(core), String(pid)])
}

/** Allows this process, and processes that it starts from now on, to run on every core. */
export function unpin(): void {
  if (canPin()) Bun.spawnSync(['taskset', '-a', '-c', '-p', `0-${cpus().length - 1}`, String(process.pid)])
}

function canPin(): boolean {
  return Bun.which('taskset') !== null && cpus().length >= 2
}

/** The endpoint of the bus for a client that joins these channels as it comes in. */
export function busEndpoint(url: string, joins: readonly string[] = ['bench:main']): Endpoint {
  const query = joins.map((channel) => `&join=${channel}`).join('')
  return {
    url,
    path: (clientId) => `/?client_id=${clientId}&client_type=service${query}`,
    admitted(frame) {
      const { type, payload } = JSON.parse(frame)
      if (type !== 'system' || payload.event !== 'welcome' || payload.failed_joins.length > 0) {
        throw new Error(`not admitted: ${frame}`)
      }
    },
  }
}

/** The endpoint of the telemetry server; `query` is what a listener says beside who it is. */
export function telemetryEndpoint(url: string, query = ''): Endpoint {
  return {
    url,
    path: (clientId) => `/?client_id=${clientId}&client_type=dashboard${query}`,
    admitted(frame) {
      const { type, payload } = JSON.parse(frame)
      if (type !== 'system' || payload.event !== 'welcome') throw new Error(`not admitted: ${frame}`)
    },
  }
}

const root = new URL('../..', import.meta.url).pathname
const programs: Record<ServerKind, string[]> = {
  bus: ['packages/cli/src/main.ts', 'serve'],
  bare: ['bench/bare.ts'],
}

/** Ports given by the system, no rates, since one client here speaks for many; everything else as users have it. */
const busSettings = {
  ARQONBUS_PORT: '0',
  ARQONBUS_HTTP_PORT: '0',
  ARQONBUS_TELEMETRY_PORT: '0',
  ARQONBUS_LOG_FORMAT: 'json',
  ARQONBUS_LOG_LEVEL: 'info',
  ARQONBUS_RATE_LIMIT: 'off',
}

function bareEndpoint(url: string): Endpoint {
  return {
    url,
    path: () => '/',
    joinFrame: 'join',
    admitted(frame) {
      if (frame !== 'joined') throw new Error(`not admitted: ${frame}`)
    },
  }
}

interface Addresses {
  bus_url: string
  http_url?: string
  telemetry_url?: string
}

/** Waits for the log line with the addresses at which the server listens. */
async function listening(log: string, alive: () => boolean): Promise<Addresses> {
  for (let waited = 0; waited < 15_000 && alive(); waited += 20) {
    const line = readFileSync(log, 'utf8')
      .split('\n')
      .slice(0, -1)
      .find((text) => text.includes('"listening"'))
    if (line !== undefined) return JSON.parse(line)
    await Bun.sleep(20)
  }
  throw new Error(`the server did not start listening; its log: ${readFileSync(log, 'utf8').slice(-2000)}`)
}
