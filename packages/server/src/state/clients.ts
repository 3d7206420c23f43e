/** Who is connected: clients by id, in the order in which they came. */
import { type ClientType, clientTypes } from '@arqonbus/protocol'
import type { Identity } from '../auth/identity.ts'
import { Ordered } from '../kit/ordered.ts'
import { zeros } from '../kit/zeros.ts'
import type { Channel, Client } from './model.ts'

/** The connected clients. */
export type Clients = ReturnType<typeof createClients>

/** A client whose identity can be replaced. */
type Renewable = { readonly id: string; identity: Identity; lastChannel: Channel | undefined }

/**
 * Replaces the identity of a client, as when its token is renewed, and drops what was remembered of the permission of
 * the old one. Commands that have begun go on under the old identity. What it has joined is not looked at here:
 * `subscriptions/renewal.ts` does that.
 */
export function replaceIdentity(client: Renewable, renewed: Omit<Identity, 'id'>): void {
  client.identity = { ...renewed, id: client.id }
  client.lastChannel = undefined
}

/** No clients. */
export function createClients() {
  const byId = new Map<string, Client>()
  const inOrder = new Ordered<Client>()
  const counts = zeros(clientTypes)
  const bySubject = new Map<string, number>()
  let streams = 0
  let seq = 0
  const count = ({ profile, kind, identity: { subject } }: Client, by: 1 | -1) => {
    counts[profile.clientType] += by
    if (kind === 'stream') streams += by
    if (subject === undefined) return
    const number = (bySubject.get(subject) ?? 0) + by
    if (number === 0) bySubject.delete(subject)
    else bySubject.set(subject, number)
  }
  return {
    get size(): number {
      return byId.size
    },
    /** How many clients a subject has. */
    countOfSubject: (subject: string): number => bySubject.get(subject) ?? 0,
    /** How many of them are event streams. */
    get streams(): number {
      return streams
    },
    get: (id: string): Client | undefined => byId.get(id),
    add(client: Client): void {
      byId.set(client.id, client)
      client.account.clients++
      inOrder.add(client)
      count(client, 1)
    },
    /** Takes a client out, unless another connection has its id already. */
    remove(client: Client): void {
      if (byId.get(client.id) !== client) return
      byId.delete(client.id)
      client.account.clients--
      inOrder.delete(client)
      count(client, -1)
    },
    all: (): Iterable<Client> => byId.values(),
    /** In the order in which they came, those that came after the one with this number. */
    after: (seq: number): Iterable<Client> => inOrder.after(seq),
    /** How many there are of each type. */
    countByType: (): Readonly<Record<ClientType, number>> => counts,
    /** The next number of a connection. */
    nextSeq: (): number => ++seq,
  }
}
