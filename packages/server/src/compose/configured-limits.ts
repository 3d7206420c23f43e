/** The limits in force, by the names that the metrics and `status` give them. */
import type { Config } from '../config/index.ts'
import { MAX_URL_LENGTH } from '../http/gate.ts'
import { memoryLimit, openFileLimit } from '../kit/system-limits.ts'
import type { ConfiguredLimit } from '../observability/metric-labels.ts'

/** The values of `arqonbus_limit`; a limit that is off has none. */
export function limitsOf(config: Config): Record<string, number> {
  const limits: Record<ConfiguredLimit, number | undefined> = {
    connections: config.maxConnections,
    connections_per_address: config.maxConnectionsPerAddress,
    connection_rate: config.connectionRate?.perSecond,
    telemetry_connections: config.telemetry ? config.telemetryMaxConnections : undefined,
    telemetry_connections_per_address: config.telemetry ? config.telemetryMaxConnectionsPerAddress : undefined,
    telemetry_events_per_second: config.telemetryEventsPerSecond,
    telemetry_waiting: config.telemetryMaxWaiting,
    webhook_queue_events: config.webhooksQueueEvents,
    webhook_queue_bytes: config.webhooksQueueBytes,
    message_bytes: config.maxMessageBytes,
    depth: config.maxDepth,
    message_rate: config.rateLimit?.perSecond,
    command_rate: config.commandRate?.perSecond,
    rooms: config.maxRooms,
    channels: config.maxChannels,
    participants: config.maxParticipants,
    room_participants: config.maxRoomParticipants,
    subscriptions: config.maxSubscriptions,
    sessions: config.maxSessions,
    api_requests: config.apiRequests,
    api_requests_per_address: config.apiRequestsPerAddress,
    http_body_bytes: config.httpBodyBytes,
    http_body_bytes_per_address: config.httpBodyBytesPerAddress,
    api_streams: config.apiStreams,
    api_streams_per_address: config.apiStreamsPerAddress,
    stream_channels: config.apiStreamChannels,
    batch_messages: config.apiBatch,
    api_rate: config.apiRate?.perSecond,
    http_rate: config.httpRate?.perSecond,
    http_pipeline: config.httpPipeline,
    auth_failures: config.auth === 'token' ? config.authFailureRate?.perSecond : undefined,
    pending_connections: config.auth === 'token' ? config.maxPendingConnections : undefined,
    pending_connections_per_address: config.auth === 'token' ? config.maxPendingConnectionsPerAddress : undefined,
    connections_per_subject: config.auth === 'token' ? config.maxConnectionsPerSubject : undefined,
    revocations: config.auth === 'token' ? config.maxRevocations : undefined,
    stream_tickets: config.maxStreamTickets,
    callouts: config.authUrl === undefined ? undefined : config.authUrlRequests,
    url_length: MAX_URL_LENGTH,
    dedup_bytes: config.dedupBytes,
    history_bytes: config.historyBytes,
    redis_queue_bytes: config.redisQueueBytes,
    queued_bytes: config.queuedBytes,
    send_buffer_soft_limit: config.sendBufferSoftLimit,
    send_buffer_hard_limit: config.sendBufferHardLimit,
    send_buffer_bytes: config.sendBufferTotal,
    fanout_bytes: config.fanoutBytes,
    reply_rights: config.maxReplyRights,
    open_files: openFileLimit(),
    memory_bytes: memoryLimit(),
  }
  return Object.fromEntries(Object.entries(limits).filter((entry): entry is [string, number] => entry[1] !== undefined))
}
