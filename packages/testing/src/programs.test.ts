import { afterAll, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { findProgram } from './programs.ts'

const folder = mkdtempSync(join(tmpdir(), 'arqonbus-programs-'))
afterAll(() => rmSync(folder, { recursive: true }))

const suite = join(folder, 'suite.test.ts')
writeFileSync(
  suite,
  `import { test } from 'bun:test'
   import { withProgram } from ${JSON.stringify(join(import.meta.dir, 'programs.ts'))}
   withProgram('promtool', 'needs promtool', (path) => { test('is called with ' + path, () => {}) })`,
)

/** Runs the suite above with a PATH, and returns its outcome. */
async function runSuite(path: string, environment: Record<string, string> = {}) {
  const { REQUIRE_ALL: _, TEST_SKIPS_FILE: __, ...rest } = process.env
  const child = Bun.spawn([process.execPath, 'test', suite], {
    cwd: folder,
    env: { ...rest, PATH: path, ...environment },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { output: out + err, code }
}

/** Creates a folder with an executable of that name. */
function folderWith(name: string): string {
  const bin = mkdtempSync(join(folder, 'bin-'))
  writeFileSync(join(bin, name), '#!/bin/sh\n', { mode: 0o755 })
  return bin
}

test('a program is found under each of its names, in the order of PATH, and only if it is executable', () => {
  const [first, second] = [folderWith('chromium-browser'), folderWith('chromium')]
  const data = mkdtempSync(join(folder, 'bin-'))
  writeFileSync(join(data, 'chromium'), '', { mode: 0o644 })
  mkdirSync(join(data, 'promtool-1'))
  expect(findProgram('chromium', ['', data, first, second].join(delimiter))).toBe(join(first, 'chromium-browser'))
  expect(findProgram('promtool', data)).toBeUndefined()
})

test('with its program a suite runs and gets the path of the program', async () => {
  const bin = folderWith('promtool')
  const { output, code } = await runSuite(bin)
  expect(output).toContain(`(pass) needs promtool > is called with ${join(bin, 'promtool')}`)
  expect(code).toBe(0)
})

test('without its program a suite is skipped, and the record names the line that installs it', async () => {
  const record = join(folder, 'skips')
  const { code } = await runSuite('/nowhere', { TEST_SKIPS_FILE: record })
  expect(code).toBe(0)
  expect(JSON.parse(readFileSync(record, 'utf8'))).toEqual({
    suite: 'needs promtool',
    program: 'promtool',
    install: 'apt-get install -y prometheus',
  })
})

test('without a record the skip is printed to the terminal', async () => {
  const { output } = await runSuite('/nowhere')
  expect(output).toContain('skipped: needs promtool — apt-get install -y prometheus')
})

test('with REQUIRE_ALL=1 a missing program is a failure', async () => {
  const { output, code } = await runSuite('/nowhere', { REQUIRE_ALL: '1' })
  expect(output).toContain('promtool is not installed')
  expect(code).toBe(1)
})
