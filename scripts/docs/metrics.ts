/** `docs/reference/metrics.md`: every metric, from the one table of them. */

import { expiryReasons, limitNames, type MetricEntry, metricEntries, refusalReasons } from '@arqonbus/server/metrics'
import { generatedFrom, type Page, page, table } from './page.ts'

const words = (list: readonly string[]) => list.map((word) => `\`${word}\``).join(', ')

/** The reference of metrics. */
export const metricsPage: Page = {
  path: 'docs/reference/metrics.md',
  render: () =>
    page(
      generatedFrom('`packages/server/src/kit/metric-table.ts`'),
      '# Metrics',
      '`GET /metrics` on the HTTP port answers in the text format of Prometheus. Counters count from the start of the process. The values of labels come from fixed tables: nothing that a client sends can add a series.',
      table(['metric', 'type', 'labels', 'what it says'], metricEntries.map(cells)),
      '## Labels',
      [
        '- `code`: the [error codes](errors.md).',
        '- `command`: the [commands](commands.md), and `unknown` for names that are none. `status`: `success`, `error`.',
        '- `client_type`: `human`, `ai-agent`, `dashboard`, `service`.',
        `- \`reason\` of refused connections: ${words(refusalReasons)}; of expired messages: ${words(expiryReasons)}.`,
        `- \`limit\`: ${words(limitNames)}.`,
        '- `method`: `GET`, `HEAD`, `POST`, `OPTIONS`, and `other`. `route`: the paths of HTTP, and `other`. `status`: the HTTP status.',
      ].join('\n'),
    ),
}

function cells({ name, type, labels, help }: MetricEntry): string[] {
  return [`\`${name}\``, type, words(labels), help]
}
