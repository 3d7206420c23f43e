/**
 * Finds the names in an expression of Prometheus: no full parser (`promtool` has one), but enough to compare each name
 * with a running bus.
 */

/** A selector: `name{label="value", other=~"a|b"}`. */
export type Selector = {
  readonly metric: string
  readonly matchers: readonly { readonly label: string; readonly operator: string; readonly value: string }[]
}

/** All selectors of our metrics. */
export function selectorsIn(expression: string): Selector[] {
  return Array.from(expression.matchAll(/\b(arqonbus_\w+)(?:\s*\{([^}]*)\})?/g), ([, metric = '', inside = '']) => ({
    metric,
    matchers: Array.from(
      inside.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g),
      ([, label = '', operator = '', value = '']) => ({
        label,
        operator,
        value,
      }),
    ),
  }))
}

/** The labels of groupings and matchings: `by (…)`, `ignoring (…)` and similar. */
export function groupingLabelsIn(expression: string): string[] {
  const groups = expression.matchAll(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g)
  return Array.from(groups, ([, list = '']) => list.split(',').map((label) => label.trim()))
    .flat()
    .filter((label) => label !== '')
}

/** The series of a bus: for each name its labels, and the values of each. */
export type Served = ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>

/** Parses the text format. */
export function servedIn(text: string): Served {
  const served = new Map<string, Map<string, Set<string>>>()
  for (const [, name = '', inside = ''] of text.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
    const labels = served.get(name) ?? new Map<string, Set<string>>()
    served.set(name, labels)
    for (const [, label = '', value = ''] of inside.matchAll(/(\w+)="([^"]*)"/g))
      labels.set(label, (labels.get(label) ?? new Set()).add(value))
  }
  return served
}

/** The labels that Prometheus adds to every series. */
const ofPrometheus = new Set(['job', 'instance'])

/** The names in an expression that no bus has; values `$…` are variables of the dashboard. */
export function strangersIn(expression: string, served: Served): string[] {
  const strangers: string[] = []
  const known = new Set(ofPrometheus)
  for (const { metric, matchers } of selectorsIn(expression)) {
    const labels = served.get(metric)
    if (labels === undefined) {
      strangers.push(metric)
      continue
    }
    for (const label of labels.keys()) known.add(label)
    for (const { label, operator, value } of matchers) {
      if (ofPrometheus.has(label)) continue
      const values = operator.includes('~') ? value.split('|') : [value]
      for (const one of values) if (!labels.get(label)?.has(one)) strangers.push(`${metric}{${label}="${one}"}`)
    }
  }
  return [...strangers, ...groupingLabelsIn(expression).filter((label) => !known.has(label))]
}

/** The labels that series of an expression can have. */
export function labelsOf(expression: string, served: Served): ReadonlySet<string> {
  const metrics = selectorsIn(expression).map(({ metric }) => metric)
  return new Set([...ofPrometheus, ...metrics.flatMap((metric) => [...(served.get(metric)?.keys() ?? [])])])
}
