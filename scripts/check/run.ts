/** Runs programs with a deadline, and ends them if the check is interrupted. */

import { join } from 'node:path'

/** The root of the repository; every program runs there. */
export const root = join(import.meta.dir, '../..')

/** The result of a program, with the output of both streams. */
export type Run = { code: number; output: string; seconds: number }

type RunOptions = {
  /** Milliseconds after which the program is killed and counts as failed. */
  timeoutMs: number
  env?: Record<string, string>
  /** Whether the output is kept for later, or shown on the terminal at once. */
  output: 'kept' | 'shown'
}

const running = new Set<Bun.Subprocess>()

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    for (const child of running) child.kill('SIGTERM')
    process.exit(130)
  })
}

/** Runs `command` in the root of the repository to its end. */
export async function run(command: readonly string[], { timeoutMs, env, output }: RunOptions): Promise<Run> {
  const stream = output === 'kept' ? 'pipe' : 'inherit'
  const started = performance.now()
  const child = Bun.spawn([...command], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', stream, stream],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  })
  running.add(child)
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), child.exited])
  running.delete(child)
  const seconds = (performance.now() - started) / 1000
  const overdue = child.signalCode === 'SIGKILL' && seconds * 1000 >= timeoutMs
  return { code, output: out + err + (overdue ? `killed after ${timeoutMs / 1000} s\n` : ''), seconds }
}

function text(stream: ReadableStream<Uint8Array> | undefined): Promise<string> {
  return stream === undefined ? Promise.resolve('') : new Response(stream).text()
}
