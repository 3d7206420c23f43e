/**
 * The alerts: valid, each tested both ways by `alerts.test.yml`, each with a section on the page that describes what to
 * do.
 */
import { describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { withProgram } from '@arqonbus/testing'
import { alerts, alertTests, prometheusFolder, textOf } from './support/files.ts'
import { selectorsIn } from './support/promql.ts'

withProgram('promtool', 'files for Prometheus', (promtool) => {
  const run = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(promtool, args, { cwd: prometheusFolder, encoding: 'utf8' })
    return { status, said: `${stdout}${stderr}` }
  }

  test.each([
    ['the rules are valid', ['check', 'rules', 'alerts.yml']],
    ['the example of a configuration is valid', ['check', 'config', 'prometheus.yml']],
    ['every alert fires when it should, and only then', ['test', 'rules', 'alerts.test.yml']],
  ])('promtool confirms that %s', (_, args) => {
    expect(run(...args)).toEqual({ status: 0, said: expect.stringContaining('SUCCESS') })
  })
})

const instanceOf = (text: string) => /instance="([^"]*)"/.exec(text)?.[1]
const metricsOf = (expr: string) => selectorsIn(expr).map(({ metric }) => metric)
const operations = textOf('docs/guide/operations.md')
const sections = Array.from(operations.matchAll(/^### (ArqonBus\w+)$/gm), ([, name]) => name!)

test('every alert has a name of its own, and there are more than fifteen', () => {
  expect(alerts.length).toBeGreaterThan(15)
  expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length)
})

test('the page on operations has a section for each alert, in the same order, and for no other', () => {
  expect(sections).toEqual(alerts.map(({ alert }) => alert))
})

describe.each(alerts.map((one) => [one.alert, one] as const))('%s', (name, { expr, labels, annotations }) => {
  test('each alert states its severity, a summary, what to do and where to read on', () => {
    expect(labels).toEqual({ severity: expect.stringMatching(/^(critical|warning|info)$/) })
    expect(annotations).toEqual({
      summary: expect.stringContaining('$labels.instance'),
      description: expect.stringMatching(/^[A-Z/].{80,}\.$/),
      runbook: `docs/guide/operations.md#${name.toLowerCase()}`,
    })
  })

  test('each alert has a test in which it is silent, then fires, and not for another server with the same metrics', () => {
    const isAsked = (asked: { expr: string }) => asked.expr === `ALERTS{alertname="${name}", alertstate="firing"}`
    const group = alertTests.find(({ promql_expr_test = [] }) => promql_expr_test.some(isAsked))
    const asked = group?.promql_expr_test?.filter(isAsked).map(({ exp_samples }) => exp_samples) ?? []
    expect(asked[0]).toEqual([])
    const fired = new Set(asked.at(-1)?.map(({ labels }) => instanceOf(labels)))
    expect(fired.size).toBeGreaterThan(0)
    const seriesOf = (metric: string) => group!.input_series.filter(({ series }) => series.startsWith(`${metric}{`))
    const metrics = name === 'ArqonBusDown' ? ['up'] : metricsOf(expr)
    const others = metrics.flatMap(seriesOf).filter(({ series }) => !fired.has(instanceOf(series)))
    expect(others.length).toBeGreaterThan(0)
  })
})
