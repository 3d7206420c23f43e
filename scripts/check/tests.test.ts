import { expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readFileTimes, readJunit } from './junit.ts'
import { closingLine, sum } from './outcome.ts'
import { judge } from './tests.ts'

const skip = { suite: 'metrics are valid', program: 'promtool', install: 'apt-get install -y prometheus' } as const

test('a real report of bun test is parsed: names with their suites, results, escapes, files with their times', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'arqonbus-junit-'))
  try {
    const source = `import { describe, expect, test } from 'bun:test'
      describe('a <suite>', () => {
        test('that "passes"', () => {})
        test('that fails & says so', () => { expect('<testcase name="no">').toBe('') })
        test.skip('that is skipped', () => {})
      })
      test.todo('that is missing')`
    writeFileSync(join(folder, 'one.test.ts'), source)
    const command = [process.execPath, 'test', '--reporter=junit', '--reporter-outfile=report.xml', './one.test.ts']
    await Bun.spawn(command, { cwd: folder, stdio: ['ignore', 'ignore', 'ignore'] }).exited
    const report = readFileSync(join(folder, 'report.xml'), 'utf8')
    expect(readJunit(report)).toEqual([
      { file: 'one.test.ts', name: 'a <suite> > that "passes"', result: 'passed' },
      { file: 'one.test.ts', name: 'a <suite> > that fails & says so', result: 'failed' },
      { file: 'one.test.ts', name: 'a <suite> > that is skipped', result: 'skipped' },
      { file: 'one.test.ts', name: 'that is missing', result: 'skipped' },
    ])
    expect(readFileTimes(report)).toEqual([{ file: 'one.test.ts', seconds: expect.any(Number) }])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('passed tests are counted, and failed ones are named with their file', () => {
  const cases = [
    { file: 'a.test.ts', name: 'one', result: 'passed' },
    { file: 'a.test.ts', name: 'two', result: 'failed' },
  ] as const
  expect(judge(['a.test.ts'], cases, [], 1)).toEqual({ passed: 1, failures: ['two (a.test.ts)'], skips: [] })
})

test('a file without any test that ran is a failure, whatever the exit code says', () => {
  expect(judge(['a.test.ts'], [], [], 0).failures).toEqual(['a.test.ts: no test of it ran'])
})

test('an exit code without a failed test is a failure', () => {
  const cases = [{ file: 'a.test.ts', name: 'one', result: 'passed' }] as const
  expect(judge(['a.test.ts'], cases, [], 137).failures).toEqual(['bun test ended with exit code 137'])
})

test('a suite that lacks a program is listed with the line that installs it', () => {
  const cases = [{ file: 'a.test.ts', name: 'http > metrics are valid', result: 'skipped' }] as const
  expect(judge(['a.test.ts'], cases, [skip], 0)).toEqual({
    passed: 0,
    failures: [],
    skips: ['http > metrics are valid — apt-get install -y prometheus'],
  })
})

test('a skip that names no missing program is a failure', () => {
  const cases = [{ file: 'a.test.ts', name: 'later', result: 'skipped' }] as const
  expect(judge(['a.test.ts'], cases, [skip], 0).failures).toEqual(['later (a.test.ts): skipped without a reason'])
})

test('the closing line counts everything and mentions skips only if there are some', () => {
  const fine = { passed: 2, failures: [], skips: [] }
  expect(closingLine(sum([fine, fine]))).toBe('4 passed, 0 failed')
  expect(closingLine(sum([fine, { passed: 1, failures: ['x'], skips: ['y'] }]))).toBe('3 passed, 1 failed, 1 skipped')
})
