import { afterAll, expect, test } from 'bun:test'
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { root } from './run.ts'

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'arqonbus-lint-')))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const usesBun = `import type { Server } from 'bun'

export const port = (server: Server<unknown>): number => server.port ?? Bun.nanoseconds()
`

const long = `export function long(): number[] {
  const steps: number[] = []
${'  steps.push(1)\n'.repeat(120)}  return steps
}
`

const sources: Record<string, string> = {
  'packages/server/src/kit/long.ts': long,
  'packages/server/src/kit/long.test.ts': long,
  'packages/server/src/kit/runtime.ts': usesBun,
  'packages/server/src/receive/later.ts': `export const later = (): Promise<unknown> => import('bun:jsc')\n`,
  'packages/server/src/http/runtime.ts': usesBun,
  'packages/server/src/main.ts': usesBun,
  'packages/server/src/kit/runtime.test.ts': usesBun,
  'packages/server/src/kit/floating.ts': `export async function work(): Promise<void> {}

export function start(): void {
  work()
}
`,
  'packages/server/src/kit/prints.ts': `export const say = (): void => console.log('hello')\n`,
  'test/skipped.test.ts': `import { test } from 'bun:test'

test.skip('later', () => {})
test.only('now', () => {})
`,
}

test('the lint rules for the coding style flag each violation and nothing else', async () => {
  cpSync(join(root, 'biome.json'), join(folder, 'biome.json'))
  for (const [path, text] of Object.entries(sources)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  const command = [
    join(root, 'node_modules/.bin/biome'),
    'lint',
    '--reporter=github',
    '--colors=off',
    'packages',
    'test',
  ]
  const child = Bun.spawn(command, { cwd: folder, stdout: 'pipe', stderr: 'ignore' })
  const report = await new Response(child.stdout).text()
  const found = Array.from(
    report.matchAll(/title=lint\/\w+\/(\w+),file=([^,]+),line=(\d+)/g),
    ([, rule, file = '', line]) => `${rule}: ${file.replace(`${folder}/`, '')}:${line}`,
  )
  expect(found.sort()).toEqual([
    'noConsole: packages/server/src/kit/prints.ts:1',
    'noExcessiveLinesPerFunction: packages/server/src/kit/long.ts:1',
    'noFloatingPromises: packages/server/src/kit/floating.ts:4',
    'noFocusedTests: test/skipped.test.ts:4',
    'noRestrictedGlobals: packages/server/src/kit/runtime.ts:3',
    'noRestrictedImports: packages/server/src/kit/runtime.ts:1',
    'noRestrictedImports: packages/server/src/receive/later.ts:1',
    'noSkippedTests: test/skipped.test.ts:3',
  ])
})
