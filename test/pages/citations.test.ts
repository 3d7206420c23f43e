/** Comments of the code, and links between pages, name headings that exist. */
import { expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { Glob } from 'bun'
import { root } from '../support/bus-process.ts'
import { prose } from './markdown.ts'

/** The anchors that GitHub generates for the headings of a page, and those that the page sets itself. */
function anchorsOf(page: string): ReadonlySet<string> {
  const text = prose(readFileSync(page, 'utf8'))
  const headings = Array.from(text.matchAll(/^#{1,6} (.+)$/gm), ([, text = '']) => text)
  const anchors = new Set(Array.from(text.matchAll(/<a (?:id|name)="([^"]+)">/g), ([, id = '']) => id))
  for (const heading of headings) {
    const anchor = heading
      .toLowerCase()
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-')
    let unique = anchor
    for (let n = 1; anchors.has(unique); n++) unique = `${anchor}-${n}`
    anchors.add(unique)
  }
  return anchors
}

/** True for a page, and an anchor of it where one is given, that exists. */
const leads = (page: string, anchor: string | undefined): boolean =>
  existsSync(page) && (anchor === undefined || !page.endsWith('.md') || anchorsOf(page).has(anchor))

const filesIn = (pattern: string): string[] =>
  [...new Glob(pattern).scanSync(root)].filter((file) => !file.includes('node_modules'))

/** The code; the tests of pages have examples of their own. */
const code = filesIn('{packages,test,bench,scripts,examples}/**/*.{ts,tsx,lua}').filter(
  (file) => !file.startsWith('test/pages/'),
)

test('every heading that a comment of the code cites exists', () => {
  const cited = code.flatMap((file) =>
    Array.from(readFileSync(join(root, file), 'utf8').matchAll(/\b(docs\/[\w/-]+\.md)(?:#([\w-]+))?/g), (match) => ({
      file,
      page: match[1]!,
      anchor: match[2],
    })),
  )
  expect(cited.length).toBeGreaterThan(100)
  const broken = cited.filter(({ page, anchor }) => !leads(join(root, page), anchor))
  expect(broken.map(({ file, page, anchor }) => `${file}: ${page}#${anchor}`)).toEqual([])
})

test('no comment cites a section by its number, which a new section would change', () => {
  expect(code.filter((file) => /protocol §/i.test(readFileSync(join(root, file), 'utf8')))).toEqual([])
})

test('every link between pages leads to a page and a heading that exist', () => {
  const pages = [...filesIn('*.md'), ...filesIn('docs/**/*.md'), ...filesIn('packages/*/*.md')]
  const links = pages
    .flatMap((file) =>
      Array.from(
        prose(readFileSync(join(root, file), 'utf8')).matchAll(/\]\(([^)\s#]*)(?:#([\w-]+))?\)/g),
        (match) => ({
          file,
          page: match[1] === '' ? join(root, file) : join(root, dirname(file), match[1]!),
          anchor: match[2],
          isLocal: !/^[a-z]+:/i.test(match[1]!),
        }),
      ),
    )
    .filter(({ isLocal }) => isLocal)
  expect(links.length).toBeGreaterThan(100)
  const broken = links.filter(({ page, anchor }) => !leads(page, anchor))
  expect(broken.map(({ file, page, anchor }) => `${file}: ${relative(root, page)}#${anchor}`)).toEqual([])
})
