/** The gauges of `/metrics`: each is read from the part that knows it, when it is asked for. */
import { durabilityLevels } from '@arqonbus/protocol'
import type { Config } from '../config/index.ts'
import type { CatchUp } from '../delivery/catch-up.ts'
import type { Delivery } from '../delivery/deliver.ts'
import { MAX_URL_LENGTH } from '../http/gate.ts'
import { memoryLimit, openFileLimit } from '../kit/system-limits.ts'
import { type ConfiguredLimit, type Status, statuses, storageDrivers } from '../observability/metric-labels.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { BusLog } from '../publish/draft.ts'
import type { BusDoor } from '../sockets/bus-socket.ts'
import type { Clients } from '../state/clients.ts'
import type { Rooms } from '../state/rooms.ts'
import type { Sessions } from '../state/sessions.ts'
import type { Membership } from '../subscriptions/subscriptions.ts'
import type { Storage } from './storage.ts'
import type { TelemetryServer } from './telemetry.ts'

/** The parts that are asked. */
export type GaugeSources = {
  readonly config: Config
  readonly metrics: Pick<Metrics, 'gauge'>
  readonly door: BusDoor
  readonly telemetryServer: TelemetryServer
  readonly streams: { readonly size: number }
  readonly clients: Clients
  readonly sessions: Sessions
  readonly rooms: Rooms
  readonly membership: Membership
  readonly catchUp: CatchUp
  readonly delivery: Pick<Delivery, 'waitingBytes'>
  readonly log: BusLog
  readonly storage: Pick<Storage, 'awaySeconds' | 'replicas'>
  readonly isStorageAway: () => boolean
  /** Rooms, channels and sessions that are not stored as they are now. */
  readonly unstoredRecords: () => number
  readonly status: () => Status
}

/** Registers all of them. */
export function registerGauges(sources: GaugeSources): void {
  const { metrics, door, telemetryServer, clients, sessions, rooms, membership, catchUp, log } = sources
  const { storage, isStorageAway, streams } = sources
  metrics.gauge('status', () => states(statuses, sources.status()))
  metrics.gauge('durability', () => states(durabilityLevels, log.durability()))
  metrics.gauge('storageDriver', () => states(storageDrivers, log.name))
  const limits = limitsOf(sources.config)
  metrics.gauge('limit', () => limits)
  metrics.gauge('connections', () => door.connections)
  metrics.gauge('telemetryConnections', () => telemetryServer.connections)
  metrics.gauge('streams', () => streams.size)
  metrics.gauge('clients', () => clients.countByType())
  metrics.gauge('sessions', () => sessions.size)
  metrics.gauge('rooms', () => rooms.size)
  metrics.gauge('channels', () => rooms.channelCount)
  metrics.gauge('subscriptions', () => membership.subscriptions)
  metrics.gauge('queueBytes', () => door.queueBytes())
  metrics.gauge('fanoutBytes', sources.delivery.waitingBytes)
  metrics.gauge('historyBytes', () => log.usage().bytes)
  metrics.gauge('historyEntries', () => log.usage().messages)
  metrics.gauge('dedupBytes', () => log.usage().dedupBytes)
  metrics.gauge('storageAvailable', () => (isStorageAway() ? 0 : 1))
  metrics.gauge('heldEntries', () => log.usage().queuedMessages)
  metrics.gauge('heldBytes', () => log.usage().queuedBytes)
  metrics.gauge('unstoredRecords', sources.unstoredRecords)
  metrics.gauge('storageAwaySeconds', storage.awaySeconds)
  metrics.gauge('replicasConnected', () => storage.replicas().connected)
  metrics.gauge('replicasWanted', () => storage.replicas().wanted)
  metrics.gauge('behind', () => catchUp.size())
  metrics.gauge('paused', () => {
    let paused = 0
    for (const { transport } of clients.all()) if (transport.isPaused) paused++
    return paused
  })
  metrics.gauge('largestQueueBytes', () => {
    let largest = 0
    for (const { transport } of clients.all()) largest = Math.max(largest, transport.bufferedBytes())
    return largest
  })
}

/** All states, the one in force with 1. */
const states = (all: readonly string[], current: string): Record<string, number> =>
  Object.fromEntries(all.map((one) => [one, one === current ? 1 : 0]))

/** Whatever `arqonbus_limit` tells; what is off is not told. */
function limitsOf(config: Config): Record<string, number> {
  const limits: Record<ConfiguredLimit, number | undefined> = {
    connections: config.maxConnections,
    connections_per_address: config.maxConnectionsPerAddress,
    connection_rate: config.connectionRate?.perSecond,
    telemetry_connections: config.telemetry ? config.telemetryMaxConnections : undefined,
    telemetry_connections_per_address: config.telemetry ? config.telemetryMaxConnectionsPerAddress : undefined,
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
    api_rate: config.apiRate?.perSecond,
    http_rate: config.httpRate?.perSecond,
    http_pipeline: config.httpPipeline,
    url_length: MAX_URL_LENGTH,
    dedup_bytes: config.dedupBytes,
    history_bytes: config.historyBytes,
    redis_queue_bytes: config.redisQueueBytes,
    redis_held_bytes: config.redisHeldBytes,
    send_buffer_soft_limit: config.sendBufferSoftLimit,
    send_buffer_hard_limit: config.sendBufferHardLimit,
    send_buffer_bytes: config.sendBufferTotal,
    fanout_bytes: config.fanoutBytes,
    open_files: openFileLimit(),
    memory_bytes: memoryLimit(),
  }
  return Object.fromEntries(Object.entries(limits).filter((entry): entry is [string, number] => entry[1] !== undefined))
}
