import { afterAll, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { programNames } from '@arqonbus/testing'
import { notHidden, pathWithoutPrograms } from './hidden.ts'

const folder = mkdtempSync(join(tmpdir(), 'arqonbus-hidden-'))
afterAll(() => rmSync(folder, { recursive: true }))

const skips = programNames.map((program) => ({ suite: `needs ${program}`, program, install: 'apt-get install' }))

/** Creates a folder of `PATH` with programs of these names. */
function folderWith(...names: string[]): string {
  const bin = mkdtempSync(join(folder, 'bin-'))
  for (const name of names) writeFileSync(join(bin, name), `#!/bin/sh\necho "${name}"\n`, { mode: 0o755 })
  return bin
}

/** The output of the program with that name in `path`; undefined if there is none. */
const run = (name: string, path: string): string | undefined =>
  spawnSync(name, { env: { PATH: path }, encoding: 'utf8' }).stdout ?? undefined

test('optional programs are not found under any of their names, and every other program is', () => {
  const path = [folderWith('promtool', 'google-chrome', 'something'), join(folder, 'missing'), folderWith('other')]
  const copies = join(folder, 'copies')
  mkdirSync(copies)
  const hidden = pathWithoutPrograms(path.join(delimiter), copies)
  expect(['promtool', 'google-chrome', 'something', 'other'].map((name) => run(name, hidden))).toEqual([
    undefined,
    undefined,
    'something\n',
    'other\n',
  ])
  expect(notHidden(hidden, skips)).toEqual([])
})

test('a program that can still be found, or for which no suite was skipped, counts as not hidden', () => {
  const path = folderWith('promtool')
  expect(notHidden(path, skips)).toEqual(['promtool was not hidden: no suite was skipped for the lack of it'])
  expect(notHidden('', skips.slice(1))).toEqual([
    `${programNames[0]} was not hidden: no suite was skipped for the lack of it`,
  ])
})
