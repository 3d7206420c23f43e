/** Whether Redis is reachable, its response times, and the queue for it. */
import { availabilityWords, durability, durabilityWords, limit, perSecond, quantile, type Row } from './panel.ts'

/** The row. */
export const redis: Row = {
  title: 'Is Redis the cause?',
  panels: [
    {
      title: 'Redis',
      description: 'When it could not be reached. Without Redis: always reachable.',
      kind: 'state-timeline',
      width: 12,
      unit: 'short',
      queries: [['arqonbus_storage_available{$bus}', '{{instance}}']],
      words: availabilityWords,
    },
    {
      title: 'Durability level',
      description: 'The best level that an acknowledgement could have.',
      kind: 'state-timeline',
      width: 12,
      unit: 'short',
      queries: [[durability, '{{instance}}']],
      words: durabilityWords,
    },
    {
      title: 'PING',
      description:
        'How long Redis takes to reply, also without publishes. If the event loop delay of the bus is as long, that is the cause.',
      kind: 'timeseries',
      width: 8,
      unit: 's',
      queries: [
        [quantile(0.5, 'arqonbus_storage_ping_duration_seconds'), 'p50 {{instance}}'],
        [quantile(0.99, 'arqonbus_storage_ping_duration_seconds'), 'p99 {{instance}}'],
      ],
    },
    {
      title: 'Appends',
      description:
        'How long Redis takes to store messages: every delivery waits for that. Slow with a fast PING: the disk, or waiting for replicas.',
      kind: 'timeseries',
      width: 8,
      unit: 's',
      queries: [
        [quantile(0.5, 'arqonbus_append_duration_seconds'), 'p50 {{instance}}'],
        [quantile(0.99, 'arqonbus_append_duration_seconds'), 'p99 {{instance}}'],
      ],
    },
    {
      title: 'Messages per call',
      description: 'One call stores all waiting messages, up to 128. Near that Redis is saturated.',
      kind: 'timeseries',
      width: 8,
      unit: 'short',
      queries: [
        [
          'rate(arqonbus_appends_total{$bus, outcome="appended"}[$__rate_interval]) / ignoring (outcome) rate(arqonbus_append_duration_seconds_count{$bus}[$__rate_interval])',
          '{{instance}}',
        ],
      ],
    },
    {
      title: 'Bytes waiting for Redis',
      description:
        'Above the limit queue the bus does not read from publishers; while Redis is unreachable, messages above the limit outage queue are refused.',
      kind: 'timeseries',
      width: 8,
      unit: 'bytes',
      queries: [
        ['arqonbus_queued_bytes{$bus}', 'waiting {{instance}}'],
        [limit('redis_queue_bytes'), 'queue {{instance}}'],
        [limit('queued_bytes'), 'outage queue {{instance}}'],
      ],
    },
    {
      title: 'Messages waiting for Redis',
      description: 'While Redis is unreachable they are queued in this process, and would be lost with it.',
      kind: 'timeseries',
      width: 8,
      unit: 'short',
      queries: [['arqonbus_queued_messages{$bus}', '{{instance}}']],
    },
    {
      title: 'Publishers paused',
      description: 'How often the bus paused reading from a client, because too many messages were waiting for Redis.',
      kind: 'timeseries',
      width: 8,
      unit: 'cps',
      queries: [[perSecond('arqonbus_publishers_paused_total'), '{{instance}}']],
    },
    {
      title: 'Outcomes of appends',
      description:
        'Messages by outcome. duplicate: sent again by clients that had no acknowledgement; queued: Redis was unreachable.',
      kind: 'timeseries',
      width: 8,
      unit: 'cps',
      queries: [[perSecond('arqonbus_appends_total'), '{{outcome}} {{instance}}']],
    },
    {
      title: 'Time away',
      description: 'The share of the time in which Redis was unreachable.',
      kind: 'timeseries',
      width: 8,
      unit: 'percentunit',
      queries: [[perSecond('arqonbus_storage_outage_seconds_total'), '{{instance}}']],
    },
    {
      title: 'Connects',
      description: 'How often Redis became unreachable, and attempts to reconnect.',
      kind: 'timeseries',
      width: 8,
      unit: 'cps',
      queries: [
        [perSecond('arqonbus_storage_degraded_total'), 'became unreachable {{instance}}'],
        [perSecond('arqonbus_storage_connects_total'), '{{outcome}} {{instance}}'],
      ],
    },
    {
      title: 'Breaks',
      description: 'Gaps detected in logs. lost and reset: Redis no longer had delivered messages.',
      kind: 'timeseries',
      width: 12,
      unit: 'short',
      queries: [['increase(arqonbus_log_gaps_total{$bus}[$__rate_interval])', '{{reason}} {{instance}}']],
    },
    {
      title: 'Replicas',
      description: 'The number that acknowledgements wait for, and the number that Redis has.',
      kind: 'timeseries',
      width: 12,
      unit: 'short',
      queries: [
        ['arqonbus_replicas_connected{$bus}', 'connected {{instance}}'],
        ['arqonbus_replicas_wanted{$bus}', 'wanted {{instance}}'],
      ],
    },
  ],
}
