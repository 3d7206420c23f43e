/** `docs/reference/metrics.md`: every metric, from the table of metrics. */

import { closeCodes, durabilityLevels } from '@arqonbus/protocol'
import {
  appendOutcomes,
  breakReasons,
  configuredLimits,
  connectOutcomes,
  expiryReasons,
  limitNames,
  recoveryOutcomes,
  refusalReasons,
  statuses,
  storageDrivers,
  telemetryDropReasons,
  webhookDropReasons,
  webhookOutcomes,
} from '@arqonbus/server/metric-labels'
import { type MetricEntry, metricEntries } from '@arqonbus/server/metrics'
import { generatedFrom, type Page, page, table } from './page.ts'

const words = (list: readonly string[]) => list.map((word) => `\`${word}\``).join(', ')

const closeNames = Object.entries(closeCodes)
  .map(([name, { code }]) => `\`${name}\` (${code})`)
  .join(', ')

/** The reference of metrics. */
export const metricsPage: Page = {
  path: 'docs/reference/metrics.md',
  render: () =>
    page(
      generatedFrom('`packages/server/src/observability/metric-table.ts`'),
      '# Metrics',
      '`GET /metrics` on the HTTP port returns the text format of Prometheus. Counters count from the start of the process. The values of labels come from fixed tables: clients cannot add series.',
      table(['metric', 'type', 'labels', 'meaning'], metricEntries.map(cells)),
      '## Labels',
      [
        '- `code`: the [error codes](errors.md).',
        '- `command`: the [commands](commands.md), and `unknown` for other names. `status`: `success`, `error`.',
        '- `client_type`: `human`, `ai-agent`, `dashboard`, `service`.',
        `- \`reason\` of refused connections: ${words(refusalReasons)}; of expired messages: ${words(expiryReasons)}; of dropped telemetry: ${words(telemetryDropReasons)} (too many events of its type waited, or waited at the shutdown, or its subscriber was too slow); of events dropped by webhooks: ${words(webhookDropReasons)}; of gaps: ${words(breakReasons)}; of closed connections, by [close code](errors.md#close-codes): ${closeNames}.`,
        `- \`outcome\` of appends: ${words(appendOutcomes)}; of recoveries: ${words(recoveryOutcomes)}; of connects: ${words(connectOutcomes)}; of requests to webhooks: ${words(webhookOutcomes)}.`,
        `- \`limit\` of refusals: ${words(limitNames)}; of configured limits also ${words(configuredLimits.slice(limitNames.length))}.`,
        `- \`status\` of the bus: ${words(statuses)}. \`level\`: ${words(durabilityLevels)}. \`driver\`: ${words(storageDrivers)}.`,
        '- `type`: the [telemetry events](telemetry.md), and `other` for events of clients.',
        '- `method`: `GET`, `HEAD`, `POST`, `OPTIONS`, and `other`. `route`: the HTTP paths, and `other`. `status`: the HTTP status.',
      ].join('\n'),
    ),
}

function cells({ name, type, labels, help }: MetricEntry): string[] {
  return [`\`${name}\``, type, words(labels), help]
}
