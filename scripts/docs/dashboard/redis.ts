/** Whether Redis is there, how long it takes, and what waits for it. */
import { availabilityWords, durability, durabilityWords, limit, perSecond, quantile, type Row } from './panel.ts'

/** The row. */
export const redis: Row = {
  title: 'Is Redis the cause?',
  panels: [
    {
      title: 'Redis',
      description: 'When it could not be reached. Without Redis: always there.',
      kind: 'state-timeline',
      width: 12,
      unit: 'short',
      queries: [['arqonbus_storage_available{$bus}', '{{instance}}']],
      words: availabilityWords,
    },
    {
      title: 'Durability level',
      description: 'The best level that an acknowledgement could name.',
      kind: 'state-timeline',
      width: 12,
      unit: 'short',
      queries: [[durability, '{{instance}}']],
      words: durabilityWords,
    },
    {
      title: 'PING',
      description:
        'How long Redis takes to answer, also when nobody publishes. Where the loop of the bus is as late, that is the cause.',
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
        'How long Redis takes to store: every delivery waits for it. Slow with a quick PING: the disk, or replicas that are waited for.',
      kind: 'timeseries',
      width: 8,
      unit: 's',
      queries: [
        [quantile(0.5, 'arqonbus_append_duration_seconds'), 'p50 {{instance}}'],
        [quantile(0.99, 'arqonbus_append_duration_seconds'), 'p99 {{instance}}'],
      ],
    },
    {
      title: 'Messages in a call',
      description: 'One call carries what has gathered; up to 128. Near that Redis is as busy as it can be.',
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
      title: 'Bytes that wait for Redis',
      description: 'Above the queue publishers are not read; while Redis is away, above held messages are refused.',
      kind: 'timeseries',
      width: 8,
      unit: 'bytes',
      queries: [
        ['arqonbus_held_bytes{$bus}', 'waiting {{instance}}'],
        [limit('redis_queue_bytes'), 'queue {{instance}}'],
        [limit('redis_held_bytes'), 'held {{instance}}'],
      ],
    },
    {
      title: 'Messages that wait for Redis',
      description: 'While Redis is away they are held in this process, and would be lost with it.',
      kind: 'timeseries',
      width: 8,
      unit: 'short',
      queries: [['arqonbus_held_entries{$bus}', '{{instance}}']],
    },
    {
      title: 'Publishers paused',
      description: 'Times that a client was not read for a while, because too much was on its way to Redis.',
      kind: 'timeseries',
      width: 8,
      unit: 'cps',
      queries: [[perSecond('arqonbus_publishers_paused_total'), '{{instance}}']],
    },
    {
      title: 'What the log said',
      description: 'Messages by outcome. duplicate: sent again by clients that had no answer; held: Redis was away.',
      kind: 'timeseries',
      width: 8,
      unit: 'cps',
      queries: [[perSecond('arqonbus_appends_total'), '{{outcome}} {{instance}}']],
    },
    {
      title: 'Time away',
      description: 'Share of the time that Redis was away.',
      kind: 'timeseries',
      width: 8,
      unit: 'percentunit',
      queries: [[perSecond('arqonbus_storage_away_seconds_total'), '{{instance}}']],
    },
    {
      title: 'Connects',
      description: 'How often Redis went away, and tries to reach it again.',
      kind: 'timeseries',
      width: 8,
      unit: 'cps',
      queries: [
        [perSecond('arqonbus_storage_degraded_total'), 'went away {{instance}}'],
        [perSecond('arqonbus_storage_connects_total'), '{{outcome}} {{instance}}'],
      ],
    },
    {
      title: 'Breaks',
      description:
        'Logs that went on from elsewhere than they stood. lost and reset: Redis no longer had what was delivered.',
      kind: 'timeseries',
      width: 12,
      unit: 'short',
      queries: [['increase(arqonbus_log_breaks_total{$bus}[$__rate_interval])', '{{reason}} {{instance}}']],
    },
    {
      title: 'Replicas',
      description: 'Those that are waited for, and those that Redis has.',
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
