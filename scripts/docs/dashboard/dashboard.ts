/** `deploy/grafana/arqonbus.json`: a dashboard for Grafana 10 and later, from the table of its panels. */
import type { Page } from '../page.ts'
import { capacity } from './capacity.ts'
import { clients } from './clients.ts'
import { health } from './health.ts'
import type { Panel, Row } from './panel.ts'
import { redis } from './redis.ts'
import { traffic } from './traffic.ts'

/** The rows, in the order of an operator's questions. */
const rows: readonly Row[] = [health, capacity, clients, redis, traffic]

/** The dashboard. */
export const dashboardPage: Page = {
  path: 'deploy/grafana/arqonbus.json',
  render: () => `${JSON.stringify(dashboard(), undefined, 2)}\n`,
}

const COLUMNS = 24
const datasource = { type: 'prometheus', uid: '$datasource' }
const chosen = 'job=~"$job", instance=~"$instance"'

/** The height of a panel, in units of the grid. */
const heights: Record<Panel['kind'], number> = { stat: 4, 'state-timeline': 5, timeseries: 8, bargauge: 8 }

const dashboard = () => ({
  uid: 'arqonbus',
  title: 'ArqonBus',
  description:
    'Is it healthy, is it full, who is slow, is Redis the cause? docs/guide/operations.md describes what to do.',
  tags: ['arqonbus'],
  schemaVersion: 39,
  version: 1,
  editable: true,
  // Pointing at a moment in one panel marks it in all.
  graphTooltip: 1,
  time: { from: 'now-3h', to: 'now' },
  refresh: '30s',
  timezone: 'browser',
  links: [],
  annotations: {
    list: [
      {
        name: 'Starts',
        datasource,
        enable: true,
        iconColor: 'blue',
        expr: `resets(arqonbus_uptime_seconds{${chosen}}[1m]) > 0`,
        titleFormat: 'started: {{instance}}',
      },
    ],
  },
  templating: {
    list: [
      { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus', current: {} },
      variable('job', 'Job', 'label_values(arqonbus_uptime_seconds, job)'),
      variable('instance', 'Server', 'label_values(arqonbus_uptime_seconds{job=~"$job"}, instance)'),
    ],
  },
  panels: panels(),
})

const variable = (name: string, label: string, query: string) => ({
  name,
  label,
  type: 'query',
  datasource,
  query: { query, refId: name },
  // Follows the time range: servers that have ended are listed where they were.
  refresh: 2,
  sort: 1,
  multi: true,
  includeAll: true,
  allValue: '.+',
  current: { selected: true, text: ['All'], value: ['$__all'] },
})

/** Lays out the panels, row by row, from left to right. */
function panels(): object[] {
  const made: object[] = []
  let y = 0
  for (const row of rows) {
    const id = made.length + 1
    made.push({
      id,
      type: 'row',
      title: row.title,
      collapsed: false,
      gridPos: { x: 0, y, w: COLUMNS, h: 1 },
      panels: [],
    })
    y += 1
    let x = 0
    let height = 0
    for (const panel of row.panels) {
      if (x + panel.width > COLUMNS) {
        x = 0
        y += height
        height = 0
      }
      const h = heights[panel.kind]
      made.push(panelOf(panel, made.length + 1, { x, y, w: panel.width, h }))
      x += panel.width
      height = Math.max(height, h)
    }
    y += height
  }
  return made
}

function panelOf(panel: Panel, id: number, gridPos: object): object {
  const { title, description, kind, unit, queries, warnAt } = panel
  const isNow = kind === 'stat' || kind === 'bargauge'
  const steps = [
    { color: 'green', value: null },
    ...(warnAt ?? []).map((value, i) => ({ color: i === 0 ? 'orange' : 'red', value })),
  ]
  return {
    id,
    type: kind,
    title,
    description,
    datasource,
    gridPos,
    fieldConfig: {
      defaults: {
        unit,
        min: 0,
        ...(kind === 'bargauge' && { max: 1 }),
        color: { mode: isNow || panel.words ? 'thresholds' : 'palette-classic' },
        thresholds: { mode: 'absolute', steps },
        mappings: mappingsOf(panel),
        custom: kind === 'timeseries' ? { lineWidth: 1, fillOpacity: 10, showPoints: 'never' } : {},
      },
      overrides: [],
    },
    options: optionsOf(panel),
    targets: queries.map(([expr, legendFormat], i) => ({
      refId: String.fromCharCode(65 + i),
      datasource,
      expr: expr.replaceAll('$bus', chosen),
      legendFormat,
      ...(isNow ? { instant: true, range: false } : { instant: false, range: true }),
    })),
  }
}

const mappingsOf = ({ words }: Panel) =>
  words === undefined
    ? []
    : [
        {
          type: 'value',
          options: Object.fromEntries(
            Object.entries(words).map(([value, [text, color]], index) => [value, { text, color, index }]),
          ),
        },
      ]

const last = { calcs: ['lastNotNull'], fields: '', values: false }
const legend = { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] }

function optionsOf({ kind, isNamed }: Panel): object {
  switch (kind) {
    case 'stat':
      return {
        reduceOptions: last,
        textMode: isNamed ? 'name' : 'auto',
        colorMode: 'value',
        graphMode: 'none',
        orientation: 'auto',
      }
    case 'bargauge':
      return { reduceOptions: last, orientation: 'horizontal', displayMode: 'gradient', showUnfilled: true }
    case 'state-timeline':
      return { mergeValues: true, showValue: 'auto', rowHeight: 0.8, legend, tooltip: { mode: 'single' } }
    case 'timeseries':
      return { legend, tooltip: { mode: 'multi', sort: 'desc' } }
  }
}
