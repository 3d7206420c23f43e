/**
 * Asks the registry what is known about the dependencies of the product (`npm run audit`): advisories, and signatures
 * that do not fit. A finding fails. A registry that cannot be asked, or does not know, is said and fails nothing: what
 * the network does says nothing about the project.
 */

import { type Audit, audits, runAudit } from './check/audit.ts'
import { type Outcome, printSummary } from './check/outcome.ts'

const outcome: Outcome = { passed: 0, failures: [], skips: [] }
for (const name of Object.keys(audits) as Audit[]) {
  const result = await runAudit(name)
  if (result.kind === 'clean') outcome.passed++
  else if (result.kind === 'unanswered')
    outcome.skips.push(`audit of ${name} — the registry did not answer: ${result.why}`)
  else outcome.failures.push(...result.findings.map((finding) => `audit of ${name}: ${finding}`))
}
printSummary(outcome)
process.exitCode = outcome.failures.length > 0 ? 1 : 0
