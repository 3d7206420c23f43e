/**
 * What is declared in a table is used somewhere: an entry that nothing names has been forgotten, here or in the table.
 */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { closeCodes, errorCodes } from '@arqonbus/protocol'
import { limitNames } from './observability/metric-labels.ts'
import { counters } from './observability/metric-table.ts'
import { createMetrics } from './observability/metrics.ts'

const packages = join(import.meta.dir, '../..')

/** Files that list names without using them: the tables, and the codes that commands and endpoints may answer with. */
const lists =
  /[.]test[.]ts$|protocol\/src\/(codes|commands\/)|metric-(labels|table)[.]ts|observability\/metrics[.]ts|compose\/configured-limits[.]ts|api\/endpoints[.]ts/

const sources = [...new Bun.Glob('{server,protocol}/src/**/*.ts').scanSync({ cwd: packages })]
  .filter((file) => !lists.test(file))
  .map((file) => readFileSync(join(packages, file), 'utf8'))
  .join('\n')

const isQuoted = (name: string): boolean => sources.includes(`'${name}'`)
/** A key of a table by error code, as in `delivery/replies.ts`. */
const isKey = (name: string): boolean => new RegExp(`^ +${name}: '`, 'm').test(sources)

describe('what is declared is used', () => {
  test('every error code is answered by the server', () => {
    const unused = Object.keys(errorCodes).filter((code) => !isQuoted(code) && !isKey(code))
    expect(unused).toEqual([])
  })

  test('every close code is sent or reported by the server, but for those that only peers send', () => {
    const unused = Object.keys(closeCodes).filter((name) => !isQuoted(name))
    expect(unused).toEqual(['normal', 'going_away'])
  })

  test('every limit that can be reached is counted somewhere', () => {
    expect(limitNames.filter((name) => !isQuoted(name))).toEqual([])
  })

  test('every counter without a label is counted up', () => {
    const isCounted = (field: string) => new RegExp(`\\b${field}(\\+\\+| \\+=)`).test(sources)
    expect(Object.keys(counters).filter((field) => !isCounted(field))).toEqual([])
  })

  test('every other way to count is called, or handed on', () => {
    const { gauge, render, contentType, ...ways } = createMetrics()
    const names = Object.keys(ways).filter((name) => !(name in counters))
    const isCalled = (name: string) =>
      new RegExp(`\\b[mM]etrics\\.${name}\\b|\\b${name} \\} = (deps[.])?metrics`).test(sources)
    expect(names.length).toBeGreaterThan(15)
    expect(names.filter((name) => !isCalled(name))).toEqual([])
  })
})
