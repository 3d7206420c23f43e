/**
 * Every regular expression of the packages takes time linear in the length of its input: a quadratic one would let one
 * request block the server.
 */
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { analyse } from 'scslre'
import ts from 'typescript'
import { root } from './run.ts'

/** An expression and its source. */
type Found = { readonly where: string; readonly source: string; readonly flags: string }

const sources = new Bun.Glob('packages/{protocol,server,client,console}/{src,page}/**/*.{ts,tsx}')

/** The literals of all sources except tests. */
async function literals(): Promise<Found[]> {
  const found: Found[] = []
  for await (const path of sources.scan(root)) {
    if (path.endsWith('.test.ts')) continue
    const file = ts.createSourceFile(path, await Bun.file(join(root, path)).text(), ts.ScriptTarget.Latest)
    const visit = (node: ts.Node) => {
      if (ts.isRegularExpressionLiteral(node)) {
        const end = node.text.lastIndexOf('/')
        found.push({ where: path, source: node.text.slice(1, end), flags: node.text.slice(end + 1) })
      }
      ts.forEachChild(node, visit)
    }
    visit(file)
  }
  return found
}

/** The expressions that are built at run time. */
async function made(): Promise<Found[]> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'record-expressions.ts')], {
    cwd: root,
    stderr: 'inherit',
  })
  const lines = (await new Response(child.stdout).text()).trim().split('\n')
  expect(await child.exited).toBe(0)
  return lines.map((line) => ({ where: 'built at run time', ...JSON.parse(line) }))
}

/** The text that a back-reference matches is compared again at every step, which the analysis does not detect. */
const backReference = /\\[1-9k]/

const isLinear = ({ source, flags }: Omit<Found, 'where'>): boolean =>
  !backReference.test(source) && analyse({ source, flags }, { maxReports: 1 }).reports.length === 0

test('the analysis distinguishes linear regular expressions from others', () => {
  const linear = [/^a+b$/, /\bgzip\b/, /^(?:[a-z]+:)?([^?#]*)/, /[^"\\]*(?:\\.)?/y]
  const others = [/\/+$/, /^(?:a+)+$/, /^a*a*$/, /a+b/, /(["']).*\1/]
  expect([...linear, ...others].map(isLinear)).toEqual([...linear.map(() => true), ...others.map(() => false)])
})

test('every regular expression of the packages is linear', async () => {
  const all = [...(await literals()), ...(await made())]
  expect(all.length).toBeGreaterThan(50)
  expect(
    all.filter((one) => !isLinear(one)).map(({ where, source, flags }) => `${where}: /${source}/${flags}`),
  ).toEqual([])
}, 120_000)
