/** The dashboard: every panel has a description, overlaps no other, and has queries that Prometheus accepts. */
import { expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withProgram } from '@arqonbus/testing'
import { dashboard } from './support/files.ts'
import { selectorsIn } from './support/promql.ts'

const { panels } = dashboard
const shown = panels.filter(({ type }) => type !== 'row')
const COLUMNS = 24

test('the dashboard has the questions of an operator as rows, in their order', () => {
  const rows = panels.filter(({ type }) => type === 'row')
  expect(rows.map(({ title }) => title)).toEqual([
    'Is it healthy?',
    'Is it full?',
    'Who is slow?',
    'Is Redis the cause?',
    'Traffic',
  ])
})

test('the ids of panels are unique', () => {
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
})

test('no panel overlaps another one or extends beyond the grid', () => {
  const taken = new Map<string, string>()
  for (const { title, gridPos } of panels) {
    const { x, y, w, h } = gridPos
    expect([title, x >= 0 && w > 0 && h > 0 && x + w <= COLUMNS]).toEqual([title, true])
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) {
        const cell = `${column},${line}`
        expect([title, taken.get(cell)]).toEqual([title, undefined])
        taken.set(cell, title)
      }
    }
  }
})

test('every panel has a unique title, a description, a unit and named queries', () => {
  expect(new Set(shown.map(({ title }) => title)).size).toBe(shown.length)
  for (const { title, description = '', fieldConfig, targets = [], datasource } of shown) {
    expect([title, description.endsWith('.') && description.length > 20]).toEqual([title, true])
    expect([title, fieldConfig?.defaults.unit]).toEqual([title, expect.stringMatching(/^\w+$/)])
    expect([title, datasource?.uid]).toEqual([title, '$datasource'])
    expect([title, targets.length > 0]).toEqual([title, true])
    expect([title, new Set(targets.map(({ refId }) => refId)).size]).toEqual([title, targets.length])
    for (const { legendFormat } of targets)
      expect([title, legendFormat]).toEqual([title, expect.stringContaining('{{')])
  }
})

test('data source, job and server are variables of the dashboard, and every query filters by the last two', () => {
  expect(dashboard.templating.list.map(({ name }) => name)).toEqual(['datasource', 'job', 'instance'])
  const questions = [...shown.flatMap(({ targets = [] }) => targets), ...dashboard.annotations.list]
  for (const { expr } of questions) {
    for (const { matchers } of selectorsIn(expr)) {
      const chosen = matchers
        .filter(({ value }) => value.startsWith('$'))
        .map(({ label, value }) => `${label} ${value}`)
      expect([expr, chosen]).toEqual([expr, ['job $job', 'instance $instance']])
    }
  }
})

withProgram('promtool', 'queries of the dashboard', (promtool) => {
  test('the queries of the dashboard are valid for Prometheus', () => {
    const questions = [...shown.flatMap(({ targets = [] }) => targets), ...dashboard.annotations.list]
    const rules = questions.map(({ expr }, i) => ({
      record: `question:${i}`,
      expr: expr.replaceAll('$__rate_interval', '1m').replace(/"\$(?:job|instance)"/g, '".+"'),
    }))
    const folder = mkdtempSync(join(tmpdir(), 'arqonbus-dashboard-'))
    try {
      const file = join(folder, 'questions.yml')
      // JSON is a subset of YAML.
      writeFileSync(file, JSON.stringify({ groups: [{ name: 'questions', rules }] }))
      const { status, stdout, stderr } = spawnSync(promtool, ['check', 'rules', file], { encoding: 'utf8' })
      expect([status, stderr]).toEqual([0, ''])
      expect(stdout).toContain(`${rules.length} rules found`)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
