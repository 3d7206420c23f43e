/** Who is connected: clients by id, in the order in which they came. */
import { type ClientType, clientTypes } from '@arqonbus/protocol'
import type { Client } from './model.ts'

/** The connected clients. */
export type Clients = {
  readonly size: number
  get(id: string): Client | undefined
  add(client: Client): void
  /** Takes a client out, unless another connection has its id already. */
  remove(client: Client): void
  all(): Iterable<Client>
  /** How many there are of each type. */
  countByType(): Readonly<Record<ClientType, number>>
  /** The next number of a connection. */
  nextSeq(): number
}

/** No clients. */
export function createClients(): Clients {
  const byId = new Map<string, Client>()
  const counts = Object.fromEntries(clientTypes.map((type) => [type, 0])) as Record<ClientType, number>
  let seq = 0
  return {
    get size() {
      return byId.size
    },
    get: (id) => byId.get(id),
    add(client) {
      byId.set(client.id, client)
      counts[client.profile.clientType]++
    },
    remove(client) {
      if (byId.get(client.id) !== client) return
      byId.delete(client.id)
      counts[client.profile.clientType]--
    },
    all: () => byId.values(),
    countByType: () => counts,
    nextSeq: () => ++seq,
  }
}
