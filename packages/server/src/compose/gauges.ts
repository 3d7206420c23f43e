/** The gauges of `/metrics`: each is read from the part that knows it, when it is asked for. */
import { durabilityLevels } from '@arqonbus/protocol'
import type { Config } from '../config/index.ts'
import { MAX_URL_LENGTH } from '../http/gate.ts'
import { memoryLimit, openFileLimit } from '../kit/system-limits.ts'
import { type ConfiguredLimit, statuses, storageDrivers } from '../observability/metric-labels.ts'
import type { GaugeName } from '../observability/metric-table.ts'
import type { GaugeReading } from '../observability/metrics.ts'
import type { Core } from './core.ts'
import type { Parts } from './parts.ts'

/** Registers every gauge of the table: one without a reading does not compile. */
export function registerGauges({ config, metrics }: Core, parts: Parts): void {
  const { log, storage, state, outbound, persistence, info, ports, telemetry, http } = parts
  const { clients, sessions, rooms } = state
  const { subscriptions, catchUp, delivery } = outbound
  const limits = limitsOf(config)
  const readings: Readonly<Record<GaugeName, () => GaugeReading>> = {
    status: () => states(statuses, info.status()),
    durability: () => states(durabilityLevels, log.durability()),
    storageDriver: () => states(storageDrivers, log.name),
    limit: () => limits,
    connections: () => ports.bus.connections,
    telemetryConnections: () => ports.telemetry.connections,
    telemetryWaiting: telemetry.waiting,
    streams: () => http.streams.size,
    clients: () => clients.countByType(),
    sessions: () => sessions.size,
    rooms: () => rooms.size,
    channels: () => rooms.channelCount,
    subscriptions: () => subscriptions.count,
    queueBytes: () => ports.bus.queueBytes(),
    fanoutBytes: delivery.waitingBytes,
    historyBytes: () => log.usage().bytes,
    historyEntries: () => log.usage().messages,
    dedupBytes: () => log.usage().dedupBytes,
    storageAvailable: () => (info.isStorageAway() ? 0 : 1),
    queuedMessages: () => log.usage().queuedMessages,
    queuedBytes: () => log.usage().queuedBytes,
    unstoredRecords: () => persistence?.unstored() ?? 0,
    storageOutageSeconds: storage.awaySeconds,
    replicasConnected: () => storage.replicas().connected,
    replicasWanted: () => storage.replicas().wanted,
    behind: () => catchUp.size(),
    paused: () =>
      Iterator.from(clients.all()).reduce((paused, { transport }) => paused + Number(transport.isPaused), 0),
    largestQueueBytes: () =>
      Iterator.from(clients.all()).reduce((largest, { transport }) => Math.max(largest, transport.bufferedBytes()), 0),
  }
  for (const name of Object.keys(readings) as GaugeName[]) metrics.gauge(name, readings[name])
}

/** All states, the one in force with 1. */
const states = (all: readonly string[], current: string): Record<string, number> =>
  Object.fromEntries(all.map((one) => [one, one === current ? 1 : 0]))

/** The values of `arqonbus_limit`; a limit that is off has none. */
function limitsOf(config: Config): Record<string, number> {
  const limits: Record<ConfiguredLimit, number | undefined> = {
    connections: config.maxConnections,
    connections_per_address: config.maxConnectionsPerAddress,
    connection_rate: config.connectionRate?.perSecond,
    telemetry_connections: config.telemetry ? config.telemetryMaxConnections : undefined,
    telemetry_connections_per_address: config.telemetry ? config.telemetryMaxConnectionsPerAddress : undefined,
    telemetry_events_per_second: config.telemetryEventsPerSecond,
    telemetry_waiting: config.telemetryMaxWaiting,
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
    api_streams: config.apiStreams,
    api_streams_per_address: config.apiStreamsPerAddress,
    stream_channels: config.apiStreamChannels,
    batch_messages: config.apiBatch,
    api_rate: config.apiRate?.perSecond,
    http_rate: config.httpRate?.perSecond,
    http_pipeline: config.httpPipeline,
    url_length: MAX_URL_LENGTH,
    dedup_bytes: config.dedupBytes,
    history_bytes: config.historyBytes,
    redis_queue_bytes: config.redisQueueBytes,
    queued_bytes: config.queuedBytes,
    send_buffer_soft_limit: config.sendBufferSoftLimit,
    send_buffer_hard_limit: config.sendBufferHardLimit,
    send_buffer_bytes: config.sendBufferTotal,
    fanout_bytes: config.fanoutBytes,
    open_files: openFileLimit(),
    memory_bytes: memoryLimit(),
  }
  return Object.fromEntries(Object.entries(limits).filter((entry): entry is [string, number] => entry[1] !== undefined))
}
