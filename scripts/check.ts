/**
 * The one command that checks everything (`npm test`): form, types, import rules, generated pages, then the tests.
 * `check.ts faults` and `check.ts soak` run those suites alone. The last line is `N passed, N failed`.
 */

import { type Outcome, printSummary, sum } from './check/outcome.ts'
import { runStaticChecks } from './check/static.ts'
import { runTests, type SuiteName, suites } from './check/tests.ts'

const asked = process.argv[2] ?? 'tests'
if (!Object.hasOwn(suites, asked)) {
  console.error(`There is no suite ${asked}: it is one of ${Object.keys(suites).join(', ')}.`)
  process.exit(64)
}

const outcomes: Outcome[] = asked === 'tests' ? [await runStaticChecks()] : []
outcomes.push(await runTests(asked as SuiteName))

const outcome = sum(outcomes)
printSummary(outcome)
process.exitCode = outcome.failures.length > 0 || outcome.passed === 0 ? 1 : 0
