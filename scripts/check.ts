/**
 * The command that checks everything (`npm test`): format, types, import rules, generated pages, then the tests.
 * `--suite=faults` and `--suite=soak` run those suites instead. The last line is `N passed, N failed`.
 *
 * `npm test -- [--alone] [--seed=N] [--without-programs] [part of a file's path …]` runs the same tests under other
 * conditions.
 */

import { parseArgs } from 'node:util'
import { type Outcome, printSummary, sum } from './check/outcome.ts'
import { runStaticChecks } from './check/static.ts'
import { runTests, type SuiteName, suites } from './check/tests.ts'

const { values, positionals } = readArguments()
const outcomes: Outcome[] = []
if (values.suite === 'tests' && positionals.length === 0) outcomes.push(await runStaticChecks())
outcomes.push(
  await runTests(values.suite as SuiteName, {
    named: positionals,
    alone: values.alone,
    seed: values.seed === undefined ? undefined : Number(values.seed),
    withoutPrograms: values['without-programs'],
  }),
)

const outcome = sum(outcomes)
printSummary(outcome)
process.exitCode = outcome.failures.length > 0 || outcome.passed === 0 ? 1 : 0

function readArguments() {
  try {
    const parsed = parseArgs({
      allowPositionals: true,
      options: {
        suite: { type: 'string', default: 'tests' },
        alone: { type: 'boolean', default: false },
        seed: { type: 'string' },
        'without-programs': { type: 'boolean', default: false },
      },
    })
    const { suite, seed } = parsed.values
    if (!Object.hasOwn(suites, suite)) throw new Error(`--suite must be one of ${Object.keys(suites).join(', ')}`)
    if (seed !== undefined && !/^\d{1,9}$/.test(seed))
      throw new Error('--seed must be a whole number below 1,000,000,000')
    return parsed
  } catch (error) {
    console.error((error as Error).message)
    process.exit(64)
  }
}
