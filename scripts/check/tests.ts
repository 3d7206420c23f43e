/** Runs test files, several at a time, and counts their results. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Skip } from '@arqonbus/testing'
import { notHidden, pathWithoutPrograms } from './hidden.ts'
import { type FileTime, readFileTimes, readJunit, type TestCase } from './junit.ts'
import { type Outcome, sum } from './outcome.ts'
import { root, run } from './run.ts'

/**
 * The suites of the repository: their files, the number of processes that share them, and the time after which a run,
 * and a test, counts as hanging. That is far longer than either takes, also on a slow and busy machine.
 *
 * Four files at a time keep two cores busy, because many wait for a browser or another process. Fault tests load a
 * machine by themselves, so two at a time. Files that one process runs share the imported modules: loading the server
 * for each file would take as long as most of them run. No file depends on that: `alone` runs each in a separate
 * process.
 */
export const suites = {
  /** Unit tests beside the code, behaviour tests in `test/`. */
  tests: {
    patterns: ['{packages,scripts,bench,examples}/**/*.test.ts', 'test/**/*.test.ts'],
    ignore: ['test/faults/', 'test/soak/'],
    processes: 4,
    minutes: 30,
    testSeconds: 120,
  },
  /** Tests that kill, disconnect, fill or delay a part of the system. */
  faults: { patterns: ['test/faults/**/*.test.ts'], ignore: [], processes: 2, minutes: 60, testSeconds: 300 },
  /** Hours instead of minutes, for effects of time; one file at a time, because some measure latencies. */
  soak: { patterns: ['test/soak/**/*.test.ts'], ignore: [], processes: 1, minutes: 600, testSeconds: 36_000 },
} as const

/** The name of a suite. */
export type SuiteName = keyof typeof suites

/** The conditions of a run; by default all files share a few processes, and each runs from top to bottom. */
export type Conditions = {
  /** Only files whose path contains one of these texts; all files if it is empty. */
  named: readonly string[]
  /** Runs each file in a separate process. */
  alone: boolean
  /** Shuffles the tests of each file with this seed. */
  seed?: number | undefined
  /** Hides the optional programs, also from tests that start one by its name. */
  withoutPrograms: boolean
}

/** Runs one suite; its output is shown at once, or file by file if each has a separate process. */
export async function runTests(name: SuiteName, conditions: Conditions): Promise<Outcome> {
  const { named, alone, withoutPrograms } = conditions
  const { patterns, ignore } = suites[name]
  const files = findFiles(patterns, ignore).filter(
    (file) => named.length === 0 || named.some((one) => file.includes(one)),
  )
  if (files.length === 0)
    return { passed: 0, failures: [`no test file matches ${[...named, ...patterns].join(', ')}`], skips: [] }
  const folder = mkdtempSync(join(tmpdir(), 'arqonbus-check-'))
  try {
    const started = performance.now()
    const path = process.env.PATH ?? ''
    const job = {
      name,
      conditions,
      folder,
      path: withoutPrograms ? pathWithoutPrograms(path, join(folder, 'path')) : path,
    }
    const results = alone ? await runEach(job, files) : [await runTogether(job, files)]
    const outcome = sum(results.map((one) => judge(one.files, one.cases, one.skips, one.code)))
    const skips = results.flatMap((one) => one.skips)
    if (withoutPrograms && named.length === 0) outcome.failures.push(...notHidden(job.path, skips))
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    console.log(`${outcome.failures.length === 0 ? 'ok    ' : 'FAILED'} ${name}: ${files.length} files (${seconds} s)`)
    if (named.length === 0) printSlowest(results.flatMap((one) => one.times))
    return outcome
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

type Job = { name: SuiteName; conditions: Conditions; folder: string; path: string }
type Result = {
  files: readonly string[]
  cases: TestCase[]
  times: FileTime[]
  skips: Skip[]
  code: number
  output: string
}

/** Runs every file in a separate process, as many at a time as there are processes otherwise. */
async function runEach(job: Job, files: readonly string[]): Promise<Result[]> {
  const waiting = [...files]
  const results: Result[] = []
  const worker = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const result = await runTogether(job, [file])
      results.push(result)
      if (result.code !== 0) console.log(`${result.output.trimEnd()}\n`)
    }
  }
  await Promise.all(Array.from({ length: suites[job.name].processes }, worker))
  return results
}

async function runTogether({ name, conditions, folder, path }: Job, files: readonly string[]): Promise<Result> {
  const { processes, minutes, testSeconds } = suites[name]
  const { alone, seed } = conditions
  const own = mkdtempSync(join(folder, 'run-'))
  const [report, skipped] = [join(own, 'report.xml'), join(own, 'skips')]
  const { code, output } = await run(
    [
      process.execPath,
      'test',
      ...(alone ? [] : [`--parallel=${processes}`, '--no-isolate']),
      ...(seed === undefined ? [] : ['--randomize', `--seed=${seed}`]),
      `--timeout=${testSeconds * 1000}`,
      '--only-failures',
      '--reporter=junit',
      `--reporter-outfile=${report}`,
      ...files.map((file) => `./${file}`),
    ],
    {
      timeoutMs: minutes * 60_000,
      output: alone ? 'kept' : 'shown',
      env: { TEST_SKIPS_FILE: skipped, PATH: path },
    },
  )
  const xml = read(report)
  return { files, cases: readJunit(xml), times: readFileTimes(xml), skips: readSkips(read(skipped)), code, output }
}

/**
 * The outcome of a run of tests. A file without a result has failed, whatever the exit code, and so has a skip without
 * a missing program: otherwise a suite could vanish unnoticed.
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

/** Prints the slowest files, so that a file that becomes slow is noticed. */
function printSlowest(times: readonly FileTime[], most = 10): void {
  const slowest = times.toSorted((a, b) => b.seconds - a.seconds).slice(0, most)
  console.log('the slowest files, in seconds:')
  for (const { file, seconds } of slowest) console.log(`${seconds.toFixed(1).padStart(8)} ${file}`)
}

/** All matching files, sorted, so that runs are alike. */
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

/** The text of a file; empty if the run ended before it was written. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
