/**
 * The nodes of a bus: the contract of what they know of each other's clients, and of their announcements.
 * `local-cluster.ts` is the driver of a single node.
 *
 * A part that asks which client ids are connected, or who is in a room or channel, asks the directory and not the maps
 * of its node. Delivery, heartbeat, drain and gauges are about the connections of their own node, and stay with those
 * maps.
 */
import type { ClientType } from '@arqonbus/protocol'
import type { Revocation } from '../auth/revocations.ts'
import type { Maybe } from '../kit/maybe.ts'
import type { Channel, Client, Room } from '../state/model.ts'
import type { ViewedClient } from '../state/views.ts'

/** Clients, each of them once. */
export type Members = Pick<ReadonlySet<ViewedClient>, 'size' | 'has' | 'keys'>

/** The clients of all nodes. */
export type Directory = {
  /** Connected clients, event streams too. */
  readonly size: number
  /** How many of them are event streams. */
  readonly streams: number
  countByType(): Readonly<Record<ClientType, number>>
  /** The client that is connected under a client id; undefined where none is. */
  find(clientId: string): Pick<Client, 'kind'> | undefined
  /** True where the client id has a session, connected or kept: private messages can be sent to it. */
  isKnown(clientId: string): boolean
  /** The connected clients in the order in which they came, beginning behind the one with this number. */
  after(seq: number): Iterable<ViewedClient>
  /** The participants of a channel, and the clients that have joined its whole room. */
  inChannel(channel: Channel): Maybe<{ readonly participants: Members; readonly roomParticipants: Members }>
  /** The clients that have joined a room, or one of its channels. */
  inRoom(room: Room): Maybe<Members>
  /** The same, as far as this node knows them without asking. */
  knownInRoom(room: Room): Iterable<ViewedClient>
  /** The number of participants of a channel. */
  countInChannel(channel: Channel): number
  /** The number of clients in a room. */
  countInRoom(room: Room): number
}

/** An announcement of one node to all nodes, itself included. */
export type Announcement =
  /** An admin has disconnected a client: its connection ends with close code 4411, and so does its session. */
  | { readonly type: 'disconnect'; readonly clientId: string; readonly reason: string | undefined }
  /**
   * A new connection has a right to a client id: the one that has it ends with close code 4410, and its session goes
   * on.
   */
  | { readonly type: 'take_over'; readonly clientId: string }
  /** A client has become a member of a private channel, or is one no longer: its subscriptions follow. */
  | { readonly type: 'membership'; readonly clientId: string; readonly room: string; readonly channel: string }
  /** Tokens are not accepted any more: what lives by them ends. */
  | { readonly type: 'revoke'; readonly revocation: Revocation }

/** Sends announcements to all nodes. */
export type Announcer = {
  announce(announcement: Announcement): void
  /** Calls `receive` for each announcement, those of this node in the same tick. */
  listen(receive: (announcement: Announcement) => void): void
}

/** The nodes of a bus. */
export type Cluster = { readonly directory: Directory; readonly announcer: Announcer }
