/** A bus as its users start it: a separate process, configured by the environment, with addresses found in its log. */

import { join } from 'node:path'

/** The root of the repository. */
export const root = join(import.meta.dir, '../..')

/** A running bus. */
export type BusProcess = {
  pid: number
  /** `ws://127.0.0.1:PORT/` */
  busUrl: string
  /** `ws://127.0.0.1:PORT/` of the telemetry server; the text `undefined` if there is none. */
  telemetryUrl: string
  /** `http://127.0.0.1:PORT/` */
  httpUrl: string
  /** The line that it logged when it started to listen. */
  listening: Record<string, unknown>
  /** Sends a signal. */
  signal(signal: NodeJS.Signals): void
  /** Sends a signal and waits for the end of the process; resolves to the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number>
  /** Resolves to the exit code when the process ends. */
  exited: Promise<number>
  /** Kills the server and its launcher (SIGKILL). */
  kill(): void
  /** The output so far. */
  output(): string
}

type BusOptions = {
  /** The command that starts it. Default: the sources under Bun. */
  command?: readonly string[]
  /** Settings, as `ARQONBUS_…` variables. */
  settings?: Record<string, string>
  /** The working directory. */
  folder?: string
}

const fromSources = [process.execPath, '--no-env-file', join(root, 'packages/cli/src/main.ts'), 'serve']

/** Starts a bus on free ports and waits until it listens; throws with its output if it ends before. */
export async function startBusProcess({
  command = fromSources,
  settings = {},
  folder = root,
}: BusOptions = {}): Promise<BusProcess> {
  let written = ''
  const child = Bun.spawn([...command], {
    cwd: folder,
    env: { ...withoutSettings(process.env), ...usual, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const collect = async (stream: ReadableStream<Uint8Array>, seen: (text: string) => void) => {
    const decoder = new TextDecoder()
    for await (const chunk of stream) seen(decoder.decode(chunk, { stream: true }))
  }
  const errors = collect(child.stderr, (text) => {
    written += text
  })
  const listening = await new Promise<Record<string, unknown>>((resolve, reject) => {
    let rest = ''
    const lines = collect(child.stdout, (text) => {
      written += text
      const parts = (rest + text).split('\n')
      rest = parts.pop() ?? ''
      for (const part of parts) {
        const entry = parse(part)
        if (entry?.event === 'listening') resolve(entry)
      }
    })
    Promise.all([lines, errors, child.exited]).then(
      () => reject(new Error(`the bus ended with exit code ${child.exitCode} before it listened:\n${written}`)),
      reject,
    )
  })
  return {
    pid: child.pid,
    busUrl: String(listening.bus_url),
    telemetryUrl: String(listening.telemetry_url),
    httpUrl: String(listening.http_url),
    listening,
    signal: (signal) => child.kill(signal),
    stop(signal = 'SIGTERM') {
      child.kill(signal)
      return child.exited
    },
    exited: child.exited,
    kill() {
      child.kill('SIGKILL')
      killIfRunning(Number(listening.pid))
    },
    output: () => written,
  }
}

/** Kills a server that npm or a launcher has started; in another process namespace its number is not valid here. */
function killIfRunning(pid: number): void {
  try {
    if (pid > 1) process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended with its launcher.
  }
}

/** Free ports, and uncached metrics. */
const usual = {
  ARQONBUS_PORT: '0',
  ARQONBUS_HTTP_PORT: '0',
  ARQONBUS_TELEMETRY_PORT: '0',
  ARQONBUS_LOG_FORMAT: 'json',
  ARQONBUS_HTTP_CACHE: '0',
}

/** The environment without settings of the bus. */
function withoutSettings(environment: NodeJS.ProcessEnv): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !/^(?:ARQONBUS|OTEL)_/.test(name)))
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined
  }
}
