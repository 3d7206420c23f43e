/** Every metric, label and value in alerts, dashboard and pages exists on a running bus. */
import { expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { metricEntries } from '@arqonbus/server/metrics'
import { startBus, withProgram } from '@arqonbus/testing'
import { root } from '../support/bus-process.ts'
import { alerts, alertTests, dashboard, textOf } from './support/files.ts'
import { labelsOf, servedIn, strangersIn } from './support/promql.ts'

const bus = await startBus()
// Each route has series after its first request.
for (const path of ['/health', '/nowhere', '/metrics']) await (await fetch(bus.httpUrl + path)).text()
const text = await (await fetch(`${bus.httpUrl}/metrics`)).text()
const served = servedIn(text)

const panels = dashboard.panels.filter(({ type }) => type !== 'row')
const expressions = [
  ...alerts.map(({ alert, expr }) => [alert, expr] as const),
  ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, expr] as const)),
  ...dashboard.annotations.list.map(({ expr }) => ['annotation', expr] as const),
]

test('a bus serves every metric of the reference, and no other', () => {
  const series = metricEntries.flatMap(({ name, type }) =>
    type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name],
  )
  expect([...served.keys()].sort()).toEqual(series.sort())
})

test('metrics, labels and values in every expression exist', () => {
  expect(expressions.length).toBeGreaterThan(90)
  for (const [where, expr] of expressions) expect([where, strangersIn(expr, served)]).toEqual([where, []])
})

test('metrics, labels and values in the tests of alerts exist', () => {
  const series = alertTests.flatMap((one) => one.input_series.map(({ series }) => series))
  for (const one of series) expect([one, strangersIn(one, served)]).toEqual([one, []])
  const asked = alertTests.flatMap(({ promql_expr_test = [] }) => promql_expr_test.map(({ expr }) => expr))
  const names = new Set(alerts.map(({ alert }) => alert))
  for (const expr of asked) expect(names).toContain(/alertname="(\w+)"/.exec(expr)?.[1] ?? expr)
})

test('labels in the texts of alerts and the legends of panels belong to their metrics', () => {
  const legends = panels.flatMap(({ title, targets = [] }) =>
    targets
      .filter(({ expr }) => !expr.startsWith('ALERTS'))
      .map(({ expr, legendFormat }) => [title, expr, [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)]] as const),
  )
  const texts = alerts.map(
    ({ alert, expr, annotations }) =>
      [
        alert,
        expr,
        [
          ...Object.values(annotations)
            .join(' ')
            .matchAll(/\$labels\.(\w+)/g),
        ],
      ] as const,
  )
  for (const [where, expr, found] of [...legends, ...texts]) {
    const labels = labelsOf(expr, served)
    const strangers = found.map(([, label = '']) => label).filter((label) => !labels.has(label))
    expect([where, strangers]).toEqual([where, []])
  }
})

test('metrics that a page or a file of deploy/ names exist', () => {
  const names = new Set([...served.keys(), ...metricEntries.map(({ name }) => name)])
  const places = ['*.md', 'docs/**/*.md', 'deploy/**/*']
  const files = places.flatMap((place) => [...new Bun.Glob(place).scanSync({ cwd: root })])
  expect(files).toContain('docs/guide/operations.md')
  expect(files).toContain('deploy/grafana/arqonbus.json')
  for (const file of files) {
    const named = Array.from(textOf(file).matchAll(/\barqonbus_[a-z_]+/g), ([name]) => name)
    expect([file, named.filter((name) => !names.has(name))]).toEqual([file, []])
  }
})

withProgram('promtool', 'metrics for promtool', (promtool) => {
  test('the served metrics are valid for promtool', () => {
    const { status, stdout, stderr } = spawnSync(promtool, ['check', 'metrics'], { input: text, encoding: 'utf8' })
    expect([status, `${stdout}${stderr}`]).toEqual([0, ''])
  })
})
