/** Runs the audits of npm and reads their reports. */

import { root } from './run.ts'

/** What is asked; development tools are left out, because no user of the server runs them. */
export const audits = {
  advisories: ['audit', '--json', '--omit=dev'],
  signatures: ['audit', 'signatures', '--json', '--omit=dev'],
} as const

/** The name of an audit. */
export type Audit = keyof typeof audits

/** The result of an audit. */
export type AuditResult =
  | { readonly kind: 'clean' }
  | { readonly kind: 'found'; readonly findings: readonly string[] }
  | { readonly kind: 'unanswered'; readonly why: string }

/** npm tries again for minutes by default. */
const patience = ['--fetch-retries=1', '--fetch-timeout=20000']
const TIMEOUT_MS = 120_000

/** Runs an audit; `more` are further arguments of npm. */
export async function runAudit(name: Audit, more: readonly string[] = []): Promise<AuditResult> {
  const child = Bun.spawn(['npm', ...audits[name], ...patience, ...more], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
  })
  const [text] = await Promise.all([new Response(child.stdout).text(), child.exited])
  return readReport(name, text)
}

/** Reads a report. Whatever is none, such as the error of a network, is no answer. */
export function readReport(name: Audit, text: string): AuditResult {
  const report = objectIn(text)
  if (report === undefined) return { kind: 'unanswered', why: 'npm printed no report' }
  const findings = name === 'advisories' ? advisoriesIn(report) : signaturesIn(report)
  if (findings === undefined) return { kind: 'unanswered', why: reasonIn(report) }
  return findings.length === 0 ? { kind: 'clean' } : { kind: 'found', findings }
}

type Report = Readonly<Record<string, unknown>>

/** `{ vulnerabilities: { [package]: { severity, via } } }` */
function advisoriesIn({ auditReportVersion, vulnerabilities }: Report): string[] | undefined {
  if (auditReportVersion !== 2 || typeof vulnerabilities !== 'object' || vulnerabilities === null) return undefined
  return Object.entries(
    vulnerabilities as Record<string, { severity: string; via: readonly (string | Advisory)[] }>,
  ).map(
    ([name, { severity, via }]) =>
      `${name} (${severity}): ${via.map((one) => (typeof one === 'string' ? one : `${one.title} ${one.url}`)).join(', ')}`,
  )
}

type Advisory = { readonly title: string; readonly url: string }

/** `{ invalid: [{ name, version, code }], missing: [{ name, version }] }` */
function signaturesIn({ invalid, missing }: Report): string[] | undefined {
  if (!Array.isArray(invalid) || !Array.isArray(missing)) return undefined
  const say = (what: string) => (one: { name: string; version: string }) => `${one.name}@${one.version}: ${what}`
  return [...invalid.map(say('its signature is not valid')), ...missing.map(say('it has no signature'))]
}

const reasonIn = ({ message, error }: Report): string =>
  String(message ?? (error as { summary?: string } | undefined)?.summary ?? 'npm printed another report').split(
    '\n',
  )[0]!

function objectIn(text: string): Report | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Report) : undefined
  } catch {
    return undefined
  }
}
