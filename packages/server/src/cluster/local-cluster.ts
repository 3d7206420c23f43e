/** The driver of a bus with one node: its own clients are all that there are. */
import type { Clients } from '../state/clients.ts'
import type { Sessions } from '../state/sessions.ts'
import type { Announcement, Cluster } from './cluster.ts'

/** What the driver knows its node by. */
type LocalClusterDeps = {
  readonly clients: Pick<Clients, 'size' | 'streams' | 'countByType' | 'get' | 'after'>
  readonly sessions: Pick<Sessions, 'get'>
}

/** Creates the cluster of one node. */
export function createLocalCluster({ clients, sessions }: LocalClusterDeps): Cluster {
  const listeners: ((announcement: Announcement) => void)[] = []
  return {
    directory: {
      get size() {
        return clients.size
      },
      get streams() {
        return clients.streams
      },
      countByType: clients.countByType,
      find: clients.get,
      isKnown: (clientId) => sessions.get(clientId) !== undefined,
      after: clients.after,
      inChannel: ({ participants, room }) => ({ participants, roomParticipants: room.roomSubscriptions }),
      inRoom: ({ broadcastSubscriptions }) => broadcastSubscriptions,
      knownInRoom: ({ broadcastSubscriptions }) => broadcastSubscriptions.keys(),
      countInChannel: ({ participants }) => participants.size,
      countInRoom: ({ broadcastSubscriptions }) => broadcastSubscriptions.size,
    },
    announcer: {
      announce(announcement) {
        for (const receive of listeners) receive(announcement)
      },
      listen: (receive) => void listeners.push(receive),
    },
  }
}
