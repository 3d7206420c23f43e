/** Runs the server with settings that it must refuse: it ends by itself. */
import { join } from 'node:path'
import { root } from './bus-process.ts'

/** Runs the server until it ends; resolves to its exit code and what it wrote to the standard error. */
export async function runToEnd(
  settings: Readonly<Record<string, string>>,
): Promise<{ exitCode: number; errors: string }> {
  const child = Bun.spawn([process.execPath, '--no-env-file', join(root, 'packages/cli/src/main.ts'), 'serve'], {
    env: {
      PATH: process.env.PATH,
      ARQONBUS_PORT: '0',
      ARQONBUS_TELEMETRY_PORT: '0',
      ARQONBUS_HTTP_PORT: '0',
      ...settings,
    },
    stdout: 'ignore',
    stderr: 'pipe',
  })
  const [errors, exitCode] = await Promise.all([new Response(child.stderr).text(), child.exited])
  return { exitCode, errors }
}
