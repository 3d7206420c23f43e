/** Who is connected: clients by id, in the order in which they came. */
import { type ClientType, clientTypes } from '@arqonbus/protocol'
import { Ordered } from '../kit/ordered.ts'
import type { Client } from './model.ts'

/** The connected clients. */
export type Clients = {
  readonly size: number
  get(id: string): Client | undefined
  add(client: Client): void
  /** Takes a client out, unless another connection has its id already. */
  remove(client: Client): void
  all(): Iterable<Client>
  /** In the order in which they came, those that came after the one with this number. */
  after(seq: number): Iterable<Client>
  /** How many there are of each type. */
  countByType(): Readonly<Record<ClientType, number>>
  /** The next number of a connection. */
  nextSeq(): number
}

/** No clients. */
export function createClients(): Clients {
  const byId = new Map<string, Client>()
  const inOrder = new Ordered<Client>()
  const counts = Object.fromEntries(clientTypes.map((type) => [type, 0])) as Record<ClientType, number>
  let seq = 0
  return {
    get size() {
      return byId.size
    },
    get: (id) => byId.get(id),
    add(client) {
      byId.set(client.id, client)
      inOrder.add(client)
      counts[client.profile.clientType]++
    },
    remove(client) {
      if (byId.get(client.id) !== client) return
      byId.delete(client.id)
      inOrder.delete(client)
      counts[client.profile.clientType]--
    },
    all: () => byId.values(),
    after: (seq) => inOrder.after(seq),
    countByType: () => counts,
    nextSeq: () => ++seq,
  }
}
