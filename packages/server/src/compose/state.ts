/** Creates what a server knows: clients, sessions, inboxes, rooms and channels, and the directory of all nodes. */
import { createLocalCluster } from '../cluster/local-cluster.ts'
import type { LogOptions } from '../log/contract.ts'
import type { BusLog } from '../publish/draft.ts'
import { createClients } from '../state/clients.ts'
import { createIdleChannels } from '../state/idle.ts'
import { createInboxes } from '../state/inboxes.ts'
import type { Feed } from '../state/model.ts'
import { Rooms } from '../state/rooms.ts'
import { createSessions } from '../state/sessions.ts'
import { Traffic } from '../state/traffic.ts'
import type { Core } from './core.ts'

/** What a server knows. */
export type State = ReturnType<typeof createState>

/** Creates the state of a server, empty. */
export function createState({ config, clock, observers, turns, accounts }: Core, log: BusLog) {
  const history = { size: config.historySize, ttlMs: config.historyTtlMs, maxBytes: config.channelBytes }
  const ofInbox = { ...history, isInbox: true } as const
  const openLog = (key: string, feeds: readonly Feed[], options: LogOptions) => log.open(key, feeds, options)
  const sessions = createSessions({
    ...config,
    clock,
    accountOfStored: (clientId) => accounts.ofStored(clientId),
    changed: observers.sessionChanged,
  })
  observers.add({
    left(client, room, channel) {
      if (!client.isClosing && client.kind === 'connection')
        sessions.left(client.id, channel?.address ?? `${room.name}:*`)
    },
  })
  const clients = createClients()
  const idle = createIdleChannels({ now: clock.monotonic, idleMs: config.channelIdleMs })
  const rooms = new Rooms(
    {
      clock,
      limits: { ...config, history },
      accountOfStored: (createdBy) => accounts.ofStored(createdBy),
      openLog,
      ended: observers.channelEnded,
      changed: observers.roomChanged,
      paused: observers.roomPaused,
    },
    idle,
  )
  const traffic = new Traffic({ clock, turns, clients, rooms })
  observers.add({ channelEnded: (channel) => traffic.forget(channel) })
  return {
    clients,
    sessions,
    ...createLocalCluster({ clients, sessions }),
    inboxes: createInboxes({ open: (key, feeds) => log.open(key, feeds, ofInbox), closed: log.closed }),
    idle,
    rooms,
    traffic,
  }
}
