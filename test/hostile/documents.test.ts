/** What the pages about security say is shown by tests that exist, and backed by settings that exist. */
import { describe, expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { anyOption, loadConfig, namesOf, optionKeys, secretFileNamesOf } from '@arqonbus/server/config'
import { Glob } from 'bun'
import { root } from '../support/bus-process.ts'
import { deviations } from './support/deviations.ts'

const read = (file: string) => readFileSync(join(root, file), 'utf8')
const pages = ['SECURITY.md', ...new Glob('docs/security/*.md').scanSync(root)]

/** The tests that a text links to: the title is the text of the link. */
const testsIn = (text: string): { title: string; file: string }[] =>
  Array.from(text.matchAll(/\[([^\]]+)\]\(([^)\s]+\.test\.tsx?)\)/g), ([, title = '', file = '']) => ({
    title: title.replaceAll('\n', ' '),
    file,
  }))

/** True if a file has a test with that title. */
function hasTest(file: string, title: string): boolean {
  if (!existsSync(file)) return false
  const source = readFileSync(file, 'utf8')
  return ["'", '`', '"'].some((quote) => source.includes(quote + title + quote))
}

describe.each(pages)('%s', (page) => {
  test('every test that the page names exists', () => {
    const named = testsIn(read(page))
    const missing = named.filter(({ title, file }) => !hasTest(join(root, dirname(page), file), title))
    expect(missing).toEqual([])
    expect(named.length).toBeGreaterThan(1)
  })

  test('every line of a table of the page that should be shown by tests is', () => {
    const rows = read(page)
      .split(/^(?=\|.*\btests? \|$)/m)
      .slice(1)
      .flatMap((table) =>
        table.split('\n').slice(
          2,
          table.split('\n').findIndex((line) => !line.startsWith('|')),
        ),
      )
    expect(rows.filter((row) => testsIn(row).length === 0)).toEqual([])
  })
})

test('the page of deviations lists each known deviation, and each has a test that it still exists', () => {
  const listed = Array.from(
    read('docs/security/websocket-deviations.md').matchAll(/^\| `([\w.-]+)` \|/gm),
    ([, name]) => name,
  )
  expect(listed).toEqual([...deviations])
  const tests = read('test/hostile/frames.test.ts') + read('test/hostile/handshakes.test.ts')
  expect(deviations.filter((name) => !tests.includes(`test('known deviation ${name}: `))).toEqual([])
})

describe('docs/guide/hardening.md', () => {
  const page = read('docs/guide/hardening.md')
  const settings = new Set(
    optionKeys.flatMap((key) => [
      namesOf(key).variable,
      ...(anyOption(key).secret ? [secretFileNamesOf(key).variable] : []),
    ]),
  )
  const items = Array.from(page.matchAll(/^- \[ \] [\s\S]*?(?=\n- |\n#|\n\n)/gm), ([item]) => item)
  const namedIn = (text: string) => Array.from(text.matchAll(/\b(?:ARQONBUS|OTEL)_[A-Z_]+/g), ([name]) => name)

  test('every setting that the page names exists', () => {
    expect(namedIn(page).filter((name) => !settings.has(name))).toEqual([])
  })

  test('a setting backs every item of the checklist', () => {
    expect(items.length).toBeGreaterThan(20)
    expect(items.filter((item) => namedIn(item).length === 0)).toEqual([])
  })

  test('the values of the checklist are valid together', () => {
    const given = items.flatMap((item) => Array.from(item.matchAll(/`((?:ARQONBUS|OTEL)_[A-Z_]+)=([^`]+)`/g)))
    const env = Object.fromEntries(given.map(([, name, value]) => [name!, value!]))
    expect(given.length).toBeGreaterThan(15)
    const { mistakes = [] } = loadConfig({ env, flags: {}, readFile: () => '' })
    expect(mistakes).toEqual([])
  })
})
