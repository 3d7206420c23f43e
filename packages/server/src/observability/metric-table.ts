/**
 * Every metric, declared once: `/metrics` and `docs/reference/metrics.md` come from here. Values of labels are from
 * fixed tables of ours, `metric-labels.ts`.
 */

/** Counters without a label: number fields of `Metrics`, which the code that counts increments. */
export const counters = {
  connected: { name: 'arqonbus_connections_total', help: 'Connections admitted since the start.' },
  received: { name: 'arqonbus_messages_received_total', help: 'Frames received from clients, refused ones too.' },
  delivered: {
    name: 'arqonbus_messages_delivered_total',
    help: 'Copies of messages handed to sockets of subscribers.',
  },
  replayed: {
    name: 'arqonbus_messages_replayed_total',
    help: 'Those among them that were missed, and came from the log: after a join with `since`, or to a slow reader.',
  },
  leftOut: {
    name: 'arqonbus_messages_left_out_total',
    help: 'Copies of messages that subscribers with a delivery policy were not sent, because a newer message took their place.',
  },
  presenceFrames: { name: 'arqonbus_presence_frames_total', help: 'Presence events handed to sockets of subscribers.' },
  bytesIn: { name: 'arqonbus_received_bytes_total', help: 'Bytes of frames received from clients.' },
  bytesOut: { name: 'arqonbus_sent_bytes_total', help: 'Bytes of frames handed to sockets.' },
  violations: {
    name: 'arqonbus_violations_total',
    help: 'Protocol violations that count towards closing a connection.',
  },
  slowFallbacks: {
    name: 'arqonbus_slow_fallbacks_total',
    help: 'Times that a slow client left the live stream to catch up from the log.',
  },
  slowClosed: {
    name: 'arqonbus_slow_consumers_closed_total',
    help: 'Connections closed with 4429: they read too slowly.',
  },
  publishersPaused: {
    name: 'arqonbus_publishers_paused_total',
    help: 'Times that a client was not read for a while, because too much of what it published was on its way to the log or to subscribers.',
  },
  storageDegraded: {
    name: 'arqonbus_storage_degraded_total',
    help: 'Outages of the external log.',
  },
  webhookDelivered: {
    name: 'arqonbus_webhook_events_delivered_total',
    help: 'Events that the receiver of a webhook accepted.',
  },
  tracesExported: { name: 'arqonbus_traces_exported_total', help: 'Spans that the trace collector accepted.' },
  tracesDropped: {
    name: 'arqonbus_traces_dropped_total',
    help: 'Spans that were dropped: too many waited, or the collector refused them.',
  },
} as const

/** Counters with one label from a fixed table. */
export const labelled = {
  appends: {
    name: 'arqonbus_appends_total',
    label: 'outcome',
    help: 'Appends to logs, by outcome; a private message goes to several logs. Queued messages are appended after the outage.',
  },
  recoveries: {
    name: 'arqonbus_recoveries_total',
    label: 'outcome',
    help: 'Recoveries of logs from the last position of a client: recovered, or why not.',
  },
  breaks: {
    name: 'arqonbus_log_gaps_total',
    label: 'reason',
    help: 'Gaps detected in logs, by reason; subscribers get a gap notice.',
  },
  closed: {
    name: 'arqonbus_connections_closed_total',
    label: 'reason',
    help: 'Connections that the bus closed after it had admitted them, by the name of the close code.',
  },
  storageConnects: {
    name: 'arqonbus_storage_connects_total',
    label: 'outcome',
    help: 'Attempts to connect to Redis, by outcome (ready or failed); several fail during an outage.',
  },
  rejected: { name: 'arqonbus_messages_rejected_total', label: 'code', help: 'Frames refused, by error code.' },
  streamsRefused: {
    name: 'arqonbus_http_streams_refused_total',
    label: 'code',
    help: 'Event streams refused with status 200 and an event that says when to reconnect, by error code.',
  },
  refused: { name: 'arqonbus_connections_refused_total', label: 'reason', help: 'Connections refused, by reason.' },
  authFailures: {
    name: 'arqonbus_authentication_failures_total',
    label: 'reason',
    help: 'Tokens refused, at connections, calls and renewals, by reason.',
  },
  expired: {
    name: 'arqonbus_history_expired_total',
    label: 'reason',
    help: 'Messages that left the history, by reason.',
  },
  limits: {
    name: 'arqonbus_limits_hit_total',
    label: 'limit',
    help: 'Requests refused because a limit was reached, by limit.',
  },
  telemetryEvents: {
    name: 'arqonbus_telemetry_events_total',
    label: 'type',
    help: 'Telemetry events sent, each counted once for all its subscribers, by type.',
  },
  telemetryDropped: {
    name: 'arqonbus_telemetry_dropped_total',
    label: 'reason',
    help: 'Telemetry events that were not sent, or not to one subscriber, by reason.',
  },
  webhookRequests: {
    name: 'arqonbus_webhook_requests_total',
    label: 'outcome',
    help: 'Requests to receivers of webhooks, by outcome; those that were refused or failed are sent again.',
  },
  webhookDropped: {
    name: 'arqonbus_webhook_events_dropped_total',
    label: 'reason',
    help: 'Events for webhooks that were not delivered and will not be, by reason.',
  },
} as const

/**
 * Gauges that the server supplies: read when `/metrics` is asked for. A gauge with states has 1 for the state in force,
 * and 0 for the others.
 */
export const gauges = {
  status: {
    name: 'arqonbus_status',
    label: 'status',
    help: '1 for the current status, as in `/health`; `draining` during a shutdown.',
  },
  durability: {
    name: 'arqonbus_durability',
    label: 'level',
    help: '1 for the best durability level that an acknowledgement can have now.',
  },
  storageDriver: {
    name: 'arqonbus_storage_driver',
    label: 'driver',
    help: '1 for the log driver in use.',
  },
  limit: {
    name: 'arqonbus_limit',
    label: 'limit',
    help: 'Limits in force, to compare with the other metrics; a limit that is off or unknown is absent. Rates are per second and client.',
  },
  connections: { name: 'arqonbus_connections', help: 'Open connections.' },
  telemetryConnections: { name: 'arqonbus_telemetry_connections', help: 'Open connections to the telemetry server.' },
  telemetryWaiting: {
    name: 'arqonbus_telemetry_waiting',
    help: 'Telemetry events that wait for their tick; of each type no more than the limit `telemetry_waiting`.',
  },
  clients: { name: 'arqonbus_clients', label: 'client_type', help: 'Connected clients, by type.' },
  sessions: { name: 'arqonbus_sessions_kept', help: 'Sessions of disconnected clients that may still be resumed.' },
  streams: { name: 'arqonbus_http_streams', help: 'Open streams of server-sent events.' },
  rooms: { name: 'arqonbus_rooms', help: 'Rooms.' },
  channels: { name: 'arqonbus_channels', help: 'Channels of all rooms.' },
  subscriptions: { name: 'arqonbus_subscriptions', help: 'Subscriptions of all clients.' },
  behind: {
    name: 'arqonbus_connections_catching_up',
    help: 'Connections with a subscription that is catching up from the log.',
  },
  queueBytes: {
    name: 'arqonbus_send_queue_bytes',
    help: 'Bytes that wait in send buffers for slow readers; compare with the limit `send_buffer_bytes`.',
  },
  largestQueueBytes: {
    name: 'arqonbus_send_queue_largest_bytes',
    help: 'Bytes that wait for the slowest reader; compare with the limits `send_buffer_soft_limit` and `send_buffer_hard_limit`.',
  },
  fanoutBytes: {
    name: 'arqonbus_fanout_bytes',
    help: 'Bytes of copies that wait for a later turn of the event loop; compare with the limit `fanout_bytes`.',
  },
  sampledBytes: {
    name: 'arqonbus_sampled_bytes',
    help: 'Bytes of the newest messages that subscriptions with a delivery policy have yet to get; compare with the limit `sampled_bytes`.',
  },
  presenceBytes: {
    name: 'arqonbus_presence_bytes',
    help: 'Bytes of statuses, and of members without a connection; compare with the limit `presence_bytes`.',
  },
  paused: {
    name: 'arqonbus_connections_paused',
    help: 'Connections that are not read now: their messages are on the way to the log, or they do not read their replies.',
  },
  keptBytes: {
    name: 'arqonbus_kept_bytes',
    label: 'kind',
    help: 'Bytes that are kept for clients or wait for them, by kind; each kind has a limit. Subscriptions are estimated.',
  },
  historyBytes: { name: 'arqonbus_history_bytes', help: 'Bytes of log messages in the memory of this process.' },
  historyEntries: { name: 'arqonbus_history_entries', help: 'Log messages in the memory of this process.' },
  storageAvailable: {
    name: 'arqonbus_storage_available',
    help: '1 while the log is reachable, 0 during an outage; the memory log is always reachable.',
  },
  storageOutageSeconds: {
    type: 'counter',
    name: 'arqonbus_storage_outage_seconds_total',
    help: 'Total time of Redis outages, in seconds.',
  },
  replicasConnected: {
    name: 'arqonbus_replicas_connected',
    help: 'Replicas that were connected to Redis at the last check; 0 during an outage.',
  },
  replicasWanted: {
    name: 'arqonbus_replicas_wanted',
    help: 'Replicas that must confirm a message before it is acknowledged.',
  },
  queuedMessages: {
    name: 'arqonbus_queued_messages',
    help: 'Messages that wait for the external log, because of an outage or because it is busy.',
  },
  queuedBytes: {
    name: 'arqonbus_queued_bytes',
    help: 'Bytes of messages that wait for the external log, or are in flight to it.',
  },
  unstoredRecords: {
    name: 'arqonbus_unstored_records',
    help: 'Rooms, channels and sessions whose current state is not in Redis yet; it would be lost with the process.',
  },
  webhookQueueEvents: {
    name: 'arqonbus_webhook_queue_events',
    help: 'Events that wait for receivers of webhooks; compare with the limit `webhook_queue_events` of each.',
  },
  webhookQueueBytes: {
    name: 'arqonbus_webhook_queue_bytes',
    help: 'Bytes of these events; compare with the limit `webhook_queue_bytes` of each receiver.',
  },
  webhooksFailing: {
    name: 'arqonbus_webhooks_failing',
    help: 'Webhooks whose last request failed, and those that were disabled by a 410.',
  },
  certificateSeconds: {
    name: 'arqonbus_tls_certificate_expiry_seconds',
    help: 'Seconds until the certificate of the ports expires, or one of its chain; negative when it has, NaN without TLS.',
  },
  dedupBytes: { name: 'arqonbus_dedup_bytes', help: 'Bytes that remember acknowledged messages for idempotence.' },
} as const

/** The name of a gauge that the server supplies. */
export type GaugeName = keyof typeof gauges

/** Gauges and counters that the process knows of itself. */
export const processMetrics = {
  uptime: { type: 'gauge', name: 'arqonbus_uptime_seconds', help: 'Time since the start, in seconds.' },
  resident: { type: 'gauge', name: 'arqonbus_resident_memory_bytes', help: 'Resident memory of the process.' },
  heap: { type: 'gauge', name: 'arqonbus_heap_bytes', help: 'Memory of the JavaScript heap in use.' },
  cpu: {
    type: 'counter',
    name: 'arqonbus_cpu_seconds_total',
    help: 'Processor time of the process, user and system, in seconds.',
  },
} as const

/** The metric whose value is 1 and whose labels say what runs. */
export const buildInfo = {
  name: 'arqonbus_build_info',
  help: 'Always 1; the labels say what runs: version, runtime and commit.',
  labels: ['version', 'runtime', 'commit'],
} as const

/** Commands, counted by name and outcome. */
export const commandCounter = {
  name: 'arqonbus_commands_total',
  help: 'Commands answered, by name and outcome (success or error).',
  labels: ['command', 'status'],
} as const

/** HTTP requests, counted by route and status. */
export const httpCounter = {
  name: 'arqonbus_http_requests_total',
  help: 'HTTP responses, by method (other: one that no route has), route (other: an unknown path) and status.',
  labels: ['method', 'route', 'status'],
} as const

/** Histograms, with the upper bounds of their buckets: in seconds, but for those that count messages. */
export const histograms = {
  commandSeconds: {
    name: 'arqonbus_command_duration_seconds',
    help: "Time from a command's frame to its reply, in seconds.",
    label: 'command',
    bounds: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
  },
  routingSeconds: {
    name: 'arqonbus_routing_duration_seconds',
    help: "Time from a message's frame to the last of its sockets, in seconds. Measured on a sample of the messages.",
    bounds: [
      0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1,
    ],
  },
  appendSeconds: {
    name: 'arqonbus_append_duration_seconds',
    help: 'Time from a call of the external log to its reply, in seconds; one call may carry many messages.',
    bounds: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  },
  pingSeconds: {
    name: 'arqonbus_storage_ping_duration_seconds',
    help: 'Time from a PING to the reply of Redis, in seconds; sent regularly, also while nothing is published.',
    bounds: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  },
  recoveryMessages: {
    name: 'arqonbus_recovery_missed_messages',
    help: 'Messages that a recovered client had missed in a log.',
    bounds: [0, 1, 10, 50, 100, 500, 1000, 5000, 10_000, 100_000],
  },
  loopLagSeconds: {
    name: 'arqonbus_event_loop_lag_seconds',
    help: 'Delay of a 250 ms timer, in seconds: how long the event loop is blocked.',
    bounds: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
  },
} as const

/** One line of the reference. */
export type MetricEntry = {
  name: string
  type: 'counter' | 'gauge' | 'histogram'
  labels: readonly string[]
  help: string
}

type Declared = { name: string; help: string; label?: string; labels?: readonly string[]; type?: MetricEntry['type'] }

const entry = (type: MetricEntry['type'], { name, help, label, labels }: Declared): MetricEntry => ({
  name,
  type,
  labels: labels ?? (label === undefined ? [] : [label]),
  help,
})

/** All metrics for the reference, by name. */
export const metricEntries: readonly MetricEntry[] = [
  ...Object.values(counters).map((one) => entry('counter', one)),
  ...Object.values(labelled).map((one) => entry('counter', one)),
  entry('counter', commandCounter),
  entry('counter', httpCounter),
  ...Object.values(gauges).map((one: Declared) => entry(one.type ?? 'gauge', one)),
  ...Object.values(processMetrics).map((one) => entry(one.type, one)),
  entry('gauge', buildInfo),
  ...Object.values(histograms).map((one) => entry('histogram', one)),
].sort((a, b) => (a.name < b.name ? -1 : 1))
