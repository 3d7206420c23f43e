/** The results of the checks, and the summary at the end. */

/** The result of one check, or of a run of tests. */
export type Outcome = {
  passed: number
  /** A line for each failure: the name of the test or check. */
  failures: string[]
  /** A line for each suite that could not run here, with the command that installs the missing program. */
  skips: string[]
}

/** The results of all checks together. */
export function sum(outcomes: readonly Outcome[]): Outcome {
  return {
    passed: outcomes.reduce((total, one) => total + one.passed, 0),
    failures: outcomes.flatMap((one) => one.failures),
    skips: outcomes.flatMap((one) => one.skips),
  }
}

/** The last line: `12 passed, 0 failed`, with `, 1 skipped` if a suite was skipped. */
export function closingLine({ passed, failures, skips }: Outcome): string {
  const skipped = skips.length > 0 ? `, ${skips.length} skipped` : ''
  return `${passed} passed, ${failures.length} failed${skipped}`
}

/** Prints every failure and skip by name, then the closing line. */
export function printSummary(outcome: Outcome): void {
  console.log('')
  for (const failure of outcome.failures) console.log(`failed: ${failure}`)
  for (const skip of outcome.skips) console.log(`skipped: ${skip}`)
  console.log(closingLine(outcome))
}
