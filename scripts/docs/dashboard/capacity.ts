/** How much of what there may be there is. */
import { limit, perSecond, type Row } from './panel.ts'

const share = (usage: string, name: string) => `${usage}{$bus} / ignoring (limit) group_right () ${limit(name)}`

/** The limits of the whole bus, as in the alert `ArqonBusNearlyFull`. */
const shares = [
  share('arqonbus_connections', 'connections'),
  share('arqonbus_connections', 'open_files'),
  share('arqonbus_rooms', 'rooms'),
  share('arqonbus_channels', 'channels'),
  share('arqonbus_dedup_bytes', 'dedup_bytes'),
  share('arqonbus_held_bytes', 'redis_held_bytes'),
  share('arqonbus_resident_memory_bytes', 'memory_bytes'),
].join(' or ')

/** The row. */
export const capacity: Row = {
  title: 'Is it full?',
  panels: [
    {
      title: 'Limits in use',
      description: 'How much of each limit of the whole bus is in use. At 100 % clients are refused.',
      kind: 'bargauge',
      width: 8,
      unit: 'percentunit',
      queries: [[shares, '{{limit}} {{instance}}']],
      warnAt: [0.75, 0.9],
    },
    {
      title: 'Limits in use, over time',
      description: 'The same: what grows will be full.',
      kind: 'timeseries',
      width: 8,
      unit: 'percentunit',
      queries: [[shares, '{{limit}} {{instance}}']],
    },
    {
      title: 'Limits reached',
      description: 'Refusals because a limit was reached, by limit; most are limits of one client or one channel.',
      kind: 'timeseries',
      width: 8,
      unit: 'cps',
      queries: [[`${perSecond('arqonbus_limits_hit_total')} > 0`, '{{limit}} {{instance}}']],
    },
    {
      title: 'Connections',
      description: 'Open connections, and how many there may be.',
      kind: 'timeseries',
      width: 8,
      unit: 'short',
      queries: [
        ['arqonbus_connections{$bus}', '{{instance}}'],
        [limit('connections'), 'limit {{instance}}'],
      ],
    },
    {
      title: 'Connections refused',
      description: 'By reason: full and draining are ours, the others are what clients bring.',
      kind: 'timeseries',
      width: 8,
      unit: 'cps',
      queries: [[`${perSecond('arqonbus_connections_refused_total')} > 0`, '{{reason}} {{instance}}']],
    },
    {
      title: 'Memory',
      description: 'What the process takes, what of it is the heap, and what the machine or the container has.',
      kind: 'timeseries',
      width: 8,
      unit: 'bytes',
      queries: [
        ['arqonbus_resident_memory_bytes{$bus}', 'resident {{instance}}'],
        ['arqonbus_heap_bytes{$bus}', 'heap {{instance}}'],
        [limit('memory_bytes'), 'limit {{instance}}'],
      ],
    },
    {
      title: 'History at hand',
      description: 'Messages of all channels in this process. At its limit the oldest go first, which refuses nobody.',
      kind: 'timeseries',
      width: 8,
      unit: 'bytes',
      queries: [
        ['arqonbus_history_bytes{$bus}', '{{instance}}'],
        [limit('history_bytes'), 'limit {{instance}}'],
      ],
    },
    {
      title: 'Messages that leave the history',
      description:
        'By reason: bytes is that all channels together are too large, so that they keep less than they ask for.',
      kind: 'timeseries',
      width: 8,
      unit: 'cps',
      queries: [[`${perSecond('arqonbus_history_expired_total')} > 0`, '{{reason}} {{instance}}']],
    },
    {
      title: 'Memory for idempotence',
      description:
        'What remembers acknowledged messages; at its limit messages that ask for an acknowledgement are refused.',
      kind: 'timeseries',
      width: 8,
      unit: 'bytes',
      queries: [
        ['arqonbus_dedup_bytes{$bus}', '{{instance}}'],
        [limit('dedup_bytes'), 'limit {{instance}}'],
      ],
    },
  ],
}
