/** Who is connected: clients by id, in the order in which they came. */
import { type ClientType, clientTypes } from '@arqonbus/protocol'
import type { Identity } from '../auth/identity.ts'
import { Ordered } from '../kit/ordered.ts'
import type { Channel, Client } from './model.ts'

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

/** A client whose identity can be replaced. */
type Renewable = { readonly id: string; identity: Identity; lastChannel: Channel | undefined }

/**
 * Replaces the identity of a client, as when its token is renewed, and drops what was remembered of the permission of
 * the old one. Commands that have begun go on under the old identity; what it has joined stays joined.
 */
export function replaceIdentity(client: Renewable, renewed: Omit<Identity, 'id'>): void {
  client.identity = { ...renewed, id: client.id }
  client.lastChannel = undefined
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
