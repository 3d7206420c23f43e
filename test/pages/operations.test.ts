/** The operations guide has a row for every warning of the start, and for every reason of `/health` and `/ready`. */
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { healthReasons } from '@arqonbus/server'
import { startWarningEvents } from '@arqonbus/server/config'
import { root } from '../support/bus-process.ts'

const page = readFileSync(join(root, 'docs/guide/operations.md'), 'utf8')

/** The first column of the tables in a section. */
function rowsOf(heading: string): string[] {
  const section = page.slice(page.indexOf(`\n## ${heading}\n`)).slice(1)
  const end = section.indexOf('\n## ')
  return Array.from(section.slice(0, end).matchAll(/^\| `([a-z_]+)` \|/gm), ([, code]) => code!)
}

test('the table of start warnings has every event, in the order of the log', () => {
  expect(rowsOf('Warnings at the start')).toEqual([...startWarningEvents])
})

test('the table of reasons has every code', () => {
  expect(rowsOf('Reasons')).toEqual(Object.keys(healthReasons))
})
