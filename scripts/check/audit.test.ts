/** The audit of the dependencies fails for what it finds, and for nothing that the network does. */
import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { readReport, runAudit } from './audit.ts'

setDefaultTimeout(120_000)

/** A registry that knows these advisories; undefined: one that answers no audits. */
function startRegistry(advisories: Record<string, object[]> | undefined): string {
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: ({ url, method }) =>
      method === 'POST' && url.endsWith('/security/advisories/bulk') && advisories !== undefined
        ? Response.json(advisories)
        : new Response(null, { status: method === 'POST' ? 405 : 404 }),
  })
  afterAll(() => server.stop(true))
  return `--registry=${server.url}`
}

const advisory = {
  id: 1,
  url: 'https://advisories.example/1',
  title: 'It writes what it should not',
  severity: 'low',
  vulnerable_versions: '<9999',
  cwe: [],
  cvss: { score: 1, vectorString: null },
}

describe('advisories', () => {
  test('an advisory for a dependency of the product is found, however low its severity', async () => {
    const result = await runAudit('advisories', [startRegistry({ pino: [advisory] })])
    expect(result).toEqual({
      kind: 'found',
      findings: ['pino (low): It writes what it should not https://advisories.example/1'],
    })
  })

  test('a registry without advisories for them is clean, and development tools are not asked about', async () => {
    expect(await runAudit('advisories', [startRegistry({ '@biomejs/biome': [advisory] })])).toEqual({ kind: 'clean' })
  })

  test('a registry that answers no audits, or cannot be reached, is no finding', async () => {
    const unanswered = { kind: 'unanswered', why: expect.any(String) }
    expect(await runAudit('advisories', [startRegistry(undefined)])).toEqual(unanswered as never)
    expect(await runAudit('advisories', ['--registry=http://127.0.0.1:1/'])).toEqual(unanswered as never)
  })
})

describe('signatures', () => {
  test('a signature that does not fit, or that is missing, is found', () => {
    const report = { invalid: [{ name: 'a', version: '1.0.0' }], missing: [{ name: 'b', version: '2.0.0' }] }
    expect(readReport('signatures', JSON.stringify(report))).toEqual({
      kind: 'found',
      findings: ['a@1.0.0: its signature is not valid', 'b@2.0.0: it has no signature'],
    })
    expect(readReport('signatures', '{"invalid":[],"missing":[]}')).toEqual({ kind: 'clean' })
  })

  test('keys that cannot be fetched are no finding', () => {
    const error = { error: { code: 'ENOTFOUND', summary: 'request to https://keys.example failed\nmore' } }
    expect(readReport('signatures', JSON.stringify(error))).toEqual({
      kind: 'unanswered',
      why: 'request to https://keys.example failed',
    })
    expect(readReport('signatures', '')).toEqual({ kind: 'unanswered', why: 'npm printed no report' })
  })
})
