/** Slow clients, and the processing time of the bus itself. */
import { limit, perSecond, quantile, type Row } from './panel.ts'

/** The row. */
export const clients: Row = {
  title: 'Who is slow?',
  panels: [
    {
      title: 'Clients that do not keep up',
      description:
        'Behind: they are catching up from the log. Paused: the bus does not read from them, because Redis has not replied or because they do not read.',
      kind: 'timeseries',
      width: 8,
      unit: 'short',
      queries: [
        ['arqonbus_connections_catching_up{$bus}', 'behind {{instance}}'],
        ['arqonbus_connections_paused{$bus}', 'paused {{instance}}'],
      ],
    },
    {
      title: 'Send queues',
      description:
        'Bytes in send buffers: all, and those of the slowest client. Above the soft limit a client falls behind and catches up from the log, above the hard limit its connection is closed.',
      kind: 'timeseries',
      width: 8,
      unit: 'bytes',
      queries: [
        ['arqonbus_send_queue_bytes{$bus}', 'all {{instance}}'],
        ['arqonbus_send_queue_largest_bytes{$bus}', 'slowest {{instance}}'],
        [limit('send_buffer_soft_limit'), 'soft limit {{instance}}'],
        [limit('send_buffer_hard_limit'), 'hard limit {{instance}}'],
      ],
    },
    {
      title: 'Slow clients',
      description:
        'How often a client fell behind, and how often a connection was closed because the log no longer had the missed messages.',
      kind: 'timeseries',
      width: 8,
      unit: 'cps',
      queries: [
        [perSecond('arqonbus_slow_fallbacks_total'), 'fell behind {{instance}}'],
        [perSecond('arqonbus_slow_consumers_closed_total'), 'closed {{instance}}'],
      ],
    },
    {
      title: 'Connections closed by the bus',
      description:
        'By reason. heartbeat_lost: the network or the client died; slow_consumer: it read too slowly, or flooded.',
      kind: 'timeseries',
      width: 8,
      unit: 'cps',
      queries: [[`${perSecond('arqonbus_connections_closed_total')} > 0`, '{{reason}} {{instance}}']],
    },
    {
      title: 'Commands, p99',
      description: 'Time to reply, by command. Commands that read the log wait for Redis.',
      kind: 'timeseries',
      width: 8,
      unit: 's',
      queries: [
        [
          'histogram_quantile(0.99, sum by (job, instance, command, le) (rate(arqonbus_command_duration_seconds_bucket{$bus}[$__rate_interval]))) >= 0',
          '{{command}} {{instance}}',
        ],
      ],
    },
    {
      title: 'Processing time of a message',
      description: 'From its frame to the last subscriber, without the time of an external log.',
      kind: 'timeseries',
      width: 8,
      unit: 's',
      queries: [
        [quantile(0.5, 'arqonbus_routing_duration_seconds'), 'p50 {{instance}}'],
        [quantile(0.99, 'arqonbus_routing_duration_seconds'), 'p99 {{instance}}'],
      ],
    },
    {
      title: 'Recoveries',
      description:
        'Clients that rejoined with their last position, by outcome. A client that could not recover was notified that it missed messages.',
      kind: 'timeseries',
      width: 8,
      unit: 'cps',
      queries: [[`${perSecond('arqonbus_recoveries_total')} > 0`, '{{outcome}} {{instance}}']],
    },
    {
      title: 'Missed messages of a recovery',
      description: 'How many messages of a log a client had missed. Compare with the length of the history.',
      kind: 'timeseries',
      width: 8,
      unit: 'short',
      queries: [
        [quantile(0.5, 'arqonbus_recovery_missed_messages'), 'p50 {{instance}}'],
        [quantile(0.99, 'arqonbus_recovery_missed_messages'), 'p99 {{instance}}'],
      ],
    },
    {
      title: 'Messages replayed',
      description: 'Messages delivered from the log, for recoveries and slow consumers: the cost of catching up.',
      kind: 'timeseries',
      width: 8,
      unit: 'cps',
      queries: [[perSecond('arqonbus_messages_replayed_total'), '{{instance}}']],
    },
    {
      title: 'Telemetry',
      description:
        'Events sent to telemetry subscribers, and events dropped because a subscriber is too slow, or too many wait. The bus never waits for one.',
      kind: 'timeseries',
      width: 12,
      unit: 'cps',
      queries: [
        [`${perSecond('arqonbus_telemetry_events_total')} > 0`, '{{type}} {{instance}}'],
        [`${perSecond('arqonbus_telemetry_dropped_total')} > 0`, 'dropped: {{reason}} {{instance}}'],
      ],
    },
    {
      title: 'Telemetry listeners',
      description: 'Connections to the telemetry server.',
      kind: 'timeseries',
      width: 12,
      unit: 'short',
      queries: [['arqonbus_telemetry_connections{$bus}', '{{instance}}']],
    },
  ],
}
