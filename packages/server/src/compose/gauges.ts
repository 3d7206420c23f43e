/** The gauges of `/metrics`: each is read from the part that knows it, when it is asked for. */
import { durabilityLevels } from '@arqonbus/protocol'
import { statuses, storageDrivers } from '../observability/metric-labels.ts'
import type { GaugeName } from '../observability/metric-table.ts'
import type { GaugeReading } from '../observability/metrics.ts'
import { limitsOf } from './configured-limits.ts'
import type { Core } from './core.ts'
import { createKeptBytes } from './kept-bytes.ts'
import type { Parts } from './parts.ts'

/** Registers every gauge of the table: one without a reading does not compile. */
export function registerGauges({ config, metrics, tls }: Core, parts: Parts): void {
  const { log, storage, state, outbound, persistence, info, ports, telemetry, webhooks } = parts
  const { clients, sessions, rooms } = state
  const { subscriptions, catchUp, delivery, sampling, presence } = outbound
  const limits = limitsOf(config)
  const keptBytes = createKeptBytes(parts)
  const readings: Readonly<Record<GaugeName, () => GaugeReading>> = {
    status: () => states(statuses, info.status()),
    durability: () => states(durabilityLevels, log.durability()),
    storageDriver: () => states(storageDrivers, log.name),
    limit: () => limits,
    connections: () => ports.bus.connections,
    telemetryConnections: () => ports.telemetry.connections,
    telemetryWaiting: telemetry.waiting,
    streams: () => clients.streams,
    clients: () => clients.countByType(),
    sessions: () => sessions.size,
    rooms: () => rooms.size,
    channels: () => rooms.channelCount,
    subscriptions: () => subscriptions.count,
    queueBytes: () => ports.bus.queueBytes(),
    fanoutBytes: delivery.waitingBytes,
    keptBytes,
    sampledBytes: () => sampling.bytes,
    presenceBytes: () => presence.bytes,
    historyBytes: () => log.usage().bytes,
    historyEntries: () => log.usage().messages,
    certificateSeconds: () => tls?.secondsLeft() ?? Number.NaN,
    dedupBytes: () => log.usage().dedupBytes,
    storageAvailable: () => (info.isStorageAway() ? 0 : 1),
    queuedMessages: () => log.usage().queuedMessages,
    queuedBytes: () => log.usage().queuedBytes,
    webhookQueueEvents: () => webhooks.usage().events,
    webhookQueueBytes: () => webhooks.usage().bytes,
    webhooksFailing: () => webhooks.failing(),
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
