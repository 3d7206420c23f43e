/** A bus as its users start it: a process of its own, configured by the environment, found by what it logs. */

import { join } from 'node:path'

/** The top of the repository. */
export const root = join(import.meta.dir, '../..')

/** A running bus. */
export type BusProcess = {
  pid: number
  /** `ws://127.0.0.1:PORT/` */
  busUrl: string
  /** `ws://127.0.0.1:PORT/` of the telemetry server; `undefined` as text where there is none. */
  telemetryUrl: string
  /** `http://127.0.0.1:PORT/` */
  httpUrl: string
  /** The line that it logged when it began to listen. */
  listening: Record<string, unknown>
  /** Sends a signal. */
  signal(signal: NodeJS.Signals): void
  /** Sends a signal and waits for the end; resolves to the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number>
  /** Ends with the process; resolves to its exit code. */
  exited: Promise<number>
  /** Kills the server outright, and what it was started with. */
  kill(): void
  /** Everything that it has written so far. */
  output(): string
}

type BusOptions = {
  /** What starts it; the sources under Bun unless told otherwise. */
  command?: readonly string[]
  /** Settings, as `ARQONBUS_…` variables. */
  settings?: Record<string, string>
  /** The folder that it is started in. */
  folder?: string
}

const fromSources = [process.execPath, '--no-env-file', join(root, 'packages/cli/src/main.ts'), 'serve']

/** Starts a bus on free ports and waits until it listens; throws with what it wrote when it ends before that. */
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

/** A server that npm or a launcher started is a process of its own; in another process namespace its number means nothing here. */
function killIfRunning(pid: number): void {
  try {
    if (pid > 1) process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended with what it was started with.
  }
}

/** Free ports, and metrics as of now. */
const usual = {
  ARQONBUS_PORT: '0',
  ARQONBUS_HTTP_PORT: '0',
  ARQONBUS_TELEMETRY_PORT: '0',
  ARQONBUS_LOG_FORMAT: 'json',
  ARQONBUS_HTTP_CACHE: '0',
}

/** The environment without the settings of whoever runs the tests. */
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
