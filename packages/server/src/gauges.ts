/** The gauges of `/metrics`: each is read from the part that knows it, when it is asked for. */
import type { CatchUp } from './bus/deliver/catch-up.ts'
import type { Membership } from './bus/places/membership.ts'
import type { BusLog } from './bus/publish/draft.ts'
import type { Metrics } from './kit/metrics.ts'
import type { BusDoor } from './sockets/bus-door.ts'
import type { Clients } from './state/clients.ts'
import type { Rooms } from './state/rooms.ts'
import type { Sessions } from './state/sessions.ts'

/** The parts that are asked. */
export type GaugeSources = {
  readonly metrics: Pick<Metrics, 'gauge'>
  readonly door: BusDoor
  readonly streams: { readonly size: number }
  readonly clients: Clients
  readonly sessions: Sessions
  readonly rooms: Rooms
  readonly membership: Membership
  readonly catchUp: CatchUp
  readonly log: BusLog
  readonly isStorageAway: () => boolean
}

/** Registers all of them. */
export function registerGauges(sources: GaugeSources): void {
  const { metrics, door, streams, clients, sessions, rooms, membership, catchUp, log, isStorageAway } = sources
  metrics.gauge('connections', () => door.connections)
  metrics.gauge('streams', () => streams.size)
  metrics.gauge('clients', () => clients.countByType())
  metrics.gauge('sessions', () => sessions.size)
  metrics.gauge('rooms', () => rooms.size)
  metrics.gauge('channels', () => rooms.channelCount)
  metrics.gauge('subscriptions', () => membership.subscriptions)
  metrics.gauge('queueBytes', () => door.queueBytes())
  metrics.gauge('historyBytes', () => log.usage().bytes)
  metrics.gauge('historyEntries', () => log.usage().messages)
  metrics.gauge('dedupBytes', () => log.usage().dedupBytes)
  metrics.gauge('storageAvailable', () => (isStorageAway() ? 0 : 1))
  metrics.gauge('heldEntries', () => log.usage().heldMessages)
  metrics.gauge('heldBytes', () => log.usage().heldBytes)
  metrics.gauge('behind', () => catchUp.size())
}
