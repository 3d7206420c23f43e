/** `docs/architecture.md` agrees with the files: paths, names, folders and the order of the layers. */
import { expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../support/bus-process.ts'
import { fencedBlocks, inlineCode, prose } from './markdown.ts'

const sources = 'packages/server/src'
const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8')

/**
 * The file of a path on the page: a path of the repository or, in short, of the server's sources; undefined if there is
 * neither.
 */
const found = (path: string): string | undefined =>
  [join(root, path), join(root, sources, path)].find((file) => existsSync(file))

/**
 * Whether a text is a path, such as `receive/` or `biome.json`: with a slash inside or at the end, or with a file
 * extension. Routes begin with a slash and are not paths.
 */
const isPath = (text: string): boolean =>
  /^[\w.-]+(\/[\w.-]+)*\/?$/.test(text) && /\/|\.(ts|tsx|md|json|yml|lua|cjs|mjs)$/.test(text)

/** The names of the folders in a folder. */
const foldersOf = (folder: string): string[] =>
  readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)

test('every path in backticks exists', () => {
  const paths = inlineCode(page).filter(isPath)
  expect(paths.length).toBeGreaterThan(100)
  expect(paths.filter((path) => found(path) === undefined)).toEqual([])
})

test('every name is in the file that the page gives for it', () => {
  const named = Array.from(
    prose(page).matchAll(/`([\w.]+)`\s+in\s+`([\w./-]+\.\w+)`/g),
    ([, name = '', path = '']) => ({
      name: name.split('.').at(-1)!,
      path,
    }),
  )
  expect(named.length).toBeGreaterThan(50)
  const isThere = ({ name, path }: { name: string; path: string }) =>
    new RegExp(`\\b${name}\\b`).test(readFileSync(found(path)!, 'utf8'))
  expect(named.filter((one) => !isThere(one))).toEqual([])
})

test('every package, and every folder of the server, has a line', () => {
  const lines = Array.from(page.matchAll(/^- `([\w./-]+)\/`:/gm), ([, folder]) => folder!)
  expect(foldersOf('packages').filter((name) => !lines.includes(`packages/${name}`))).toEqual([])
  expect(foldersOf(sources).filter((name) => !lines.includes(name))).toEqual([])
})

test('the picture has the layers that the import rules have, in their order', () => {
  const rules = readFileSync(join(root, '.dependency-cruiser.cjs'), 'utf8')
  const [list = ''] = /const layers = \[[\s\S]*?\n\]/.exec(rules) ?? []
  const layers = Array.from(list.matchAll(/^ {2}\{ (.*) \},$/gm), ([, row = '']) =>
    Array.from(row.matchAll(/([\w/]+)'?: '/g), ([, name]) => name!),
  )
  const picture = fencedBlocks(page).find(({ text }) => text.includes('receive/'))!
  const drawn = Array.from(picture.text.matchAll(/^ *L\d+\["([^:]*):/gm), ([, names = '']) =>
    names.split(' · ').map((name) => name.replace(/\/$|\.ts$/, '')),
  )
  expect(layers.length).toBeGreaterThan(10)
  expect(drawn).toEqual(layers)
})
