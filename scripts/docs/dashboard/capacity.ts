/** The use of the limits. */
import { limit, perSecond, type Row } from './panel.ts'

const share = (usage: string, name: string) => `${usage}{$bus} / ignoring (limit) group_right () ${limit(name)}`

/** The limits of the whole bus, as in the alert `ArqonBusNearlyFull`. */
const shares = [
  share('arqonbus_connections', 'connections'),
  share('arqonbus_connections', 'open_files'),
  share('arqonbus_rooms', 'rooms'),
  share('arqonbus_channels', 'channels'),
  share('arqonbus_dedup_bytes', 'dedup_bytes'),
  share('arqonbus_queued_bytes', 'queued_bytes'),
  share('arqonbus_resident_memory_bytes', 'memory_bytes'),
].join(' or ')

/** The row. */
export const capacity: Row = {
  title: 'Is it full?',
  panels: [
    {
      title: 'Limits in use',
      description: 'The share of each limit of the whole bus that is in use. At 100 % clients are refused.',
      kind: 'bargauge',
      width: 8,
      unit: 'percentunit',
      queries: [[shares, '{{limit}} {{instance}}']],
      warnAt: [0.75, 0.9],
    },
    {
      title: 'Limits in use, over time',
      description: 'The same over time: a growing share will reach its limit.',
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
      description: 'Open connections, and their limit.',
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
      description: 'By reason: full and draining are states of the server, the others are faults of clients.',
      kind: 'timeseries',
      width: 8,
      unit: 'cps',
      queries: [[`${perSecond('arqonbus_connections_refused_total')} > 0`, '{{reason}} {{instance}}']],
    },
    {
      title: 'Memory',
      description:
        'The memory of the process, the part of it that is the heap, and the memory of the machine or container.',
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
      title: 'History in memory',
      description: 'Messages of all channels in this process. At the limit the oldest are removed; nothing is refused.',
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
        'By reason. bytes: all channels together exceed the limit, so that they keep fewer messages than their options allow.',
      kind: 'timeseries',
      width: 8,
      unit: 'cps',
      queries: [[`${perSecond('arqonbus_history_expired_total')} > 0`, '{{reason}} {{instance}}']],
    },
    {
      title: 'Memory for deduplication',
      description:
        'The ids of acknowledged messages. At the limit, messages that ask for an acknowledgement are refused.',
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
