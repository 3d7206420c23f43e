/** Traffic. */
import { perSecond, type Row } from './panel.ts'

/** The row. */
export const traffic: Row = {
  title: 'Traffic',
  panels: [
    {
      title: 'Messages',
      description: 'Frames from clients, and copies of messages to them.',
      kind: 'timeseries',
      width: 8,
      unit: 'cps',
      queries: [
        [perSecond('arqonbus_messages_received_total'), 'received {{instance}}'],
        [perSecond('arqonbus_messages_delivered_total'), 'delivered {{instance}}'],
      ],
    },
    {
      title: 'Refusals',
      description: 'Frames refused, by error code; docs/reference/errors.md describes each.',
      kind: 'timeseries',
      width: 8,
      unit: 'cps',
      queries: [
        [`${perSecond('arqonbus_messages_rejected_total')} > 0`, '{{code}} {{instance}}'],
        [`${perSecond('arqonbus_violations_total')} > 0`, 'violations {{instance}}'],
      ],
    },
    {
      title: 'Bytes',
      description: 'Bytes of frames, without the overhead of WebSocket and TCP.',
      kind: 'timeseries',
      width: 8,
      unit: 'Bps',
      queries: [
        [perSecond('arqonbus_received_bytes_total'), 'received {{instance}}'],
        [perSecond('arqonbus_sent_bytes_total'), 'sent {{instance}}'],
      ],
    },
    {
      title: 'Commands',
      description: 'Commands, by name and outcome.',
      kind: 'timeseries',
      width: 8,
      unit: 'cps',
      queries: [[`${perSecond('arqonbus_commands_total')} > 0`, '{{command}} {{status}} {{instance}}']],
    },
    {
      title: 'Clients',
      description: 'Connected clients by type, and kept sessions of disconnected clients.',
      kind: 'timeseries',
      width: 8,
      unit: 'short',
      queries: [
        ['arqonbus_clients{$bus}', '{{client_type}} {{instance}}'],
        ['arqonbus_sessions_kept{$bus}', 'sessions kept {{instance}}'],
      ],
    },
    {
      title: 'New connections',
      description: 'Accepted connections. Many with few clients: clients reconnect often.',
      kind: 'timeseries',
      width: 8,
      unit: 'cps',
      queries: [[perSecond('arqonbus_connections_total'), '{{instance}}']],
    },
    {
      title: 'Rooms and channels',
      description: 'The number of rooms and channels, and the subscriptions of all clients.',
      kind: 'timeseries',
      width: 8,
      unit: 'short',
      queries: [
        ['arqonbus_rooms{$bus}', 'rooms {{instance}}'],
        ['arqonbus_channels{$bus}', 'channels {{instance}}'],
        ['arqonbus_subscriptions{$bus}', 'subscriptions {{instance}}'],
      ],
    },
    {
      title: 'Messages in memory',
      description: 'Messages of all channels that this process has in memory.',
      kind: 'timeseries',
      width: 8,
      unit: 'short',
      queries: [['arqonbus_history_entries{$bus}', '{{instance}}']],
    },
    {
      title: 'HTTP',
      description: 'Requests to the HTTP port, by route and status.',
      kind: 'timeseries',
      width: 8,
      unit: 'cps',
      queries: [[perSecond('arqonbus_http_requests_total'), '{{route}} {{status}} {{instance}}']],
    },
  ],
}
