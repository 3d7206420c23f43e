/** Whether the bus runs, and its status. */
import { availabilityWords, durability, durabilityWords, perSecond, quantile, type Row } from './panel.ts'

/** The row. */
export const health: Row = {
  title: 'Is it healthy?',
  panels: [
    {
      title: 'Up',
      description: 'Whether Prometheus can read the metrics of the bus.',
      kind: 'stat',
      width: 4,
      unit: 'short',
      queries: [['up{$bus}', '{{instance}}']],
      words: { 0: ['down', 'red'], 1: ['up', 'green'] },
    },
    {
      title: 'Status',
      description:
        'The status of /health: degraded while Redis is unreachable, or if something configured could not be created.',
      kind: 'stat',
      width: 4,
      unit: 'short',
      queries: [
        [
          'sum by (job, instance) (arqonbus_status{$bus, status="degraded"}) + 2 * sum by (job, instance) (arqonbus_status{$bus, status="draining"})',
          '{{instance}}',
        ],
      ],
      words: { 0: ['ok', 'green'], 1: ['degraded', 'orange'], 2: ['draining', 'blue'] },
    },
    {
      title: 'Durability',
      description: 'The best durability level that an acknowledgement can have now. Without Redis it is always memory.',
      kind: 'stat',
      width: 4,
      unit: 'short',
      queries: [[durability, '{{instance}}']],
      words: durabilityWords,
    },
    {
      title: 'Log',
      description: 'Whether the log can be reached. The memory log always can.',
      kind: 'stat',
      width: 4,
      unit: 'short',
      queries: [['arqonbus_storage_available{$bus}', '{{instance}}']],
      words: availabilityWords,
    },
    {
      title: 'Running for',
      description: 'Time since the last start.',
      kind: 'stat',
      width: 4,
      unit: 's',
      queries: [['arqonbus_uptime_seconds{$bus}', '{{instance}}']],
    },
    {
      title: 'Version',
      description: 'The running versions. Several at once: an update is in progress, or a server was forgotten.',
      kind: 'stat',
      width: 4,
      unit: 'short',
      queries: [['count by (version, runtime) (arqonbus_build_info{$bus})', '{{version}}, {{runtime}}']],
      isNamed: true,
    },
    {
      title: 'Event loop delay',
      description:
        'How late a timer fires: everything on the bus is delayed as much. Above 100 ms something blocks the only thread.',
      kind: 'timeseries',
      width: 8,
      unit: 's',
      queries: [
        [quantile(0.5, 'arqonbus_event_loop_lag_seconds'), 'p50 {{instance}}'],
        [quantile(0.99, 'arqonbus_event_loop_lag_seconds'), 'p99 {{instance}}'],
      ],
    },
    {
      title: 'Processor time',
      description:
        'Processors in use. The bus itself has one thread: near 1 it is saturated; above 1 other threads of the runtime work too.',
      kind: 'timeseries',
      width: 8,
      unit: 'percentunit',
      queries: [[perSecond('arqonbus_cpu_seconds_total'), '{{instance}}']],
    },
    {
      title: 'Firing alerts',
      description: 'By the rules of deploy/prometheus/alerts.yml, if Prometheus has them.',
      kind: 'timeseries',
      width: 8,
      unit: 'short',
      queries: [
        ['ALERTS{alertname=~"ArqonBus.+", alertstate="firing"}', '{{alertname}} {{instance}} {{limit}}{{code}}'],
      ],
    },
  ],
}
