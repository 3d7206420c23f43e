/** The checks that run no code of the project: format, types, imports, and whether generated pages are current. */

import { availableParallelism } from 'node:os'
import type { Outcome } from './outcome.ts'
import { run } from './run.ts'

type StaticCheck = { name: string; command: readonly string[] }

const tool = (name: string) => `node_modules/.bin/${name}`

/**
 * TypeScript 7, which takes a fifth of the time of TypeScript 6; dependency-cruiser needs the interfaces of 6.
 * By its path: both packages have a `tsc`, and `node_modules/.bin` contains only one.
 */
const types = (project: string) => [
  'node',
  'node_modules/typescript7/bin/tsc',
  '--project',
  project,
  '--pretty',
  'false',
]

/** Programs that exit with 0 if all is well. The longest comes first, so that it does not run alone at the end. */
export const staticChecks: readonly StaticCheck[] = [
  { name: 'types', command: types('.') },
  {
    name: 'import rules',
    command: [
      tool('depcruise'),
      '--config',
      '.dependency-cruiser.cjs',
      'packages',
      'bench',
      'examples',
      'scripts',
      'test',
    ],
  },
  {
    name: 'types of code for browsers',
    command: types('tsconfig.browser.json'),
  },
  { name: 'types of the console', command: types('packages/console') },
  { name: 'generated pages', command: [process.execPath, 'scripts/docs.ts', '--check'] },
  { name: 'format and lint', command: [tool('biome'), 'ci', '--colors=off', '--error-on-warnings', '.'] },
]

/**
 * Runs all checks, as many at a time as there are cores, and prints a line for each, with the output of those that
 * fail.
 */
export async function runStaticChecks(checks: readonly StaticCheck[] = staticChecks): Promise<Outcome> {
  const outcome: Outcome = { passed: 0, failures: [], skips: [] }
  const waiting = [...checks]
  const worker = async () => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      const { code, output, seconds } = await run(check.command, { timeoutMs: 600_000, output: 'kept' })
      console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${check.name} (${seconds.toFixed(1)} s)`)
      if (code === 0) outcome.passed += 1
      else {
        outcome.failures.push(`${check.name} (${check.command.join(' ')})`)
        console.log(output.trimEnd().replace(/^/gm, '    '))
      }
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
  return outcome
}
