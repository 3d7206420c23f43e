/** Reads the files of `deploy/`. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../support/bus-process.ts'

/** The folder of Prometheus. */
export const prometheusFolder = join(root, 'deploy/prometheus')

/** The text of a file, by its path from the root of the repository. */
export const textOf = (path: string): string => readFileSync(join(root, path), 'utf8')

/** An alert. */
export type Alert = {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

/** All alerts. */
export const alerts: readonly Alert[] = (
  Bun.YAML.parse(textOf('deploy/prometheus/alerts.yml')) as { groups: { rules: Alert[] }[] }
).groups.flatMap(({ rules }) => rules)

/** A group of the tests of alerts: the input series, and the expected alerts. */
export type AlertTest = {
  readonly name: string
  readonly input_series: readonly { readonly series: string }[]
  readonly promql_expr_test?: readonly {
    readonly expr: string
    readonly eval_time: string
    readonly exp_samples: readonly { readonly labels: string }[]
  }[]
}

/** All tests of alerts. */
export const alertTests: readonly AlertTest[] = (
  Bun.YAML.parse(textOf('deploy/prometheus/alerts.test.yml')) as { tests: AlertTest[] }
).tests

/** A panel of the dashboard. */
export type Panel = {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } }
  readonly datasource?: { readonly uid: string }
  readonly targets?: readonly { readonly refId: string; readonly expr: string; readonly legendFormat: string }[]
}

/** The dashboard. */
export const dashboard = JSON.parse(textOf('deploy/grafana/arqonbus.json')) as {
  readonly panels: readonly Panel[]
  readonly annotations: { readonly list: readonly { readonly expr: string }[] }
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly query: string | { query: string } }[]
  }
}
