/** Runs test files in two processes and counts what they say. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Skip } from '@arqonbus/testing'
import { readJunit, type TestCase } from './junit.ts'
import type { Outcome } from './outcome.ts'
import { root, run } from './run.ts'

/** Files share nothing but the machine, and two at a time keep two cores busy. */
const processes = 2

/** The suites of the repository: where their files are, and how long all of them, and one test of them, may take. */
export const suites = {
  /** Unit tests beside the code, behaviour tests in `test/`. */
  tests: {
    patterns: ['{packages,scripts,bench,examples}/**/*.test.ts', 'test/**/*.test.ts'],
    ignore: ['test/faults/', 'test/soak/'],
    minutes: 10,
    testSeconds: 20,
  },
  /** Whatever kills, cuts, fills or delays a part of the system. */
  faults: { patterns: ['test/faults/**/*.test.ts'], ignore: [], minutes: 30, testSeconds: 300 },
  /** Hours rather than minutes: what only time shows. */
  soak: { patterns: ['test/soak/**/*.test.ts'], ignore: [], minutes: 600, testSeconds: 36_000 },
} as const

/** The name of a suite. */
export type SuiteName = keyof typeof suites

/** Runs one suite; its output goes to the terminal as it comes. */
export async function runTests(name: SuiteName): Promise<Outcome> {
  const suite = suites[name]
  const files = findFiles(suite.patterns, suite.ignore)
  if (files.length === 0)
    return { passed: 0, failures: [`no test file matches ${suite.patterns.join(', ')}`], skips: [] }
  const folder = mkdtempSync(join(tmpdir(), 'arqonbus-check-'))
  try {
    const [report, skipped] = [join(folder, 'report.xml'), join(folder, 'skips')]
    const { code, seconds } = await run(
      [
        process.execPath,
        'test',
        `--parallel=${processes}`,
        `--timeout=${suite.testSeconds * 1000}`,
        '--only-failures',
        '--reporter=junit',
        `--reporter-outfile=${report}`,
        ...files.map((file) => `./${file}`),
      ],
      { timeoutMs: suite.minutes * 60_000, output: 'shown', env: { TEST_SKIPS_FILE: skipped } },
    )
    const outcome = judge(files, readJunit(read(report)), readSkips(read(skipped)), code)
    console.log(
      `${outcome.failures.length === 0 ? 'ok    ' : 'FAILED'} ${name}: ${files.length} files (${seconds.toFixed(1)} s)`,
    )
    return outcome
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * What a run of tests amounts to. A file without a result failed, whatever the exit code says, and so did a skip that names
 * no missing program: otherwise a suite could vanish unnoticed.
 */
export function judge(
  files: readonly string[],
  cases: readonly TestCase[],
  skips: readonly Skip[],
  code: number,
): Outcome {
  const outcome: Outcome = { passed: 0, failures: [], skips: [] }
  for (const { file, name, result } of cases) {
    const skip = skips.find(({ suite }) => name === suite || name.endsWith(` > ${suite}`))
    if (result === 'passed') outcome.passed += 1
    else if (result === 'failed') outcome.failures.push(`${name} (${file})`)
    else if (skip !== undefined) outcome.skips.push(`${name} — ${skip.install}`)
    else outcome.failures.push(`${name} (${file}): skipped without a reason`)
  }
  const reported = new Set(cases.map((one) => one.file))
  for (const file of files) if (!reported.has(file)) outcome.failures.push(`${file}: no test of it ran`)
  if (code !== 0 && outcome.failures.length === 0) outcome.failures.push(`bun test ended with exit code ${code}`)
  return outcome
}

/** All files that match, sorted, so that two runs are alike. */
function findFiles(patterns: readonly string[], ignore: readonly string[]): string[] {
  const found = patterns.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync({ cwd: root })])
  const wanted = (file: string) => !file.includes('node_modules/') && !ignore.some((folder) => file.startsWith(folder))
  return [...new Set(found)].filter(wanted).sort()
}

function readSkips(text: string): Skip[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Skip)
}

/** The text of the file; none where the run did not live long enough to write it. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
