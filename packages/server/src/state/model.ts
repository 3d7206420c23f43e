/**
 * The entities of the bus and how they hang together: clients, rooms, channels, and the feeds by which they are served.
 * Plain data, no I/O.
 */

import type { ChannelOptions, ClientType, DeliveryPolicy, Position } from '@arqonbus/protocol'
import type { RoomType } from '../auth/access.ts'
import type { Creator, Identity } from '../auth/identity.ts'
import type { Ordered } from '../kit/ordered.ts'
import type { RawJson } from '../kit/raw-json.ts'
import type { Account } from '../limits/accounts.ts'
import type { Log } from '../log/contract.ts'
import type { ReplySink } from './caller.ts'
import type { Transport } from './transport.ts'

/** What a client says about itself. */
export type Profile = {
  clientType: ClientType
  screenName?: string
  avatar?: string
  personality?: string
}

/** A client that is connected: one connection or stream has one client, and a client id one of them. */
export type Client = {
  readonly id: string
  /**
   * `connection`: a WebSocket, with a session that is kept after it. By HTTP: `call`, one request, in no list; and
   * `stream`, which only reads: it has no session of its own and creates nothing.
   */
  readonly kind: 'connection' | 'call' | 'stream'
  /** Counts up with each connection: lists are in this order. */
  readonly seq: number
  profile: Profile
  /** Who it has proved to be. Changed by `replaceIdentity` in `clients.ts` alone. */
  readonly identity: Identity
  /** To whom its rates, and what is kept of it, are counted. */
  readonly account: Account
  /** Whether it gets its own messages; else it gets an acknowledgement in place of each. */
  readonly echo: boolean
  /** Wall time. */
  readonly connectedAt: number
  /** When it connected, in running time. */
  readonly connectedAtMonotonic: number
  /** The last frame from it, pongs aside, in running time. */
  lastActivity: number
  /** The last sign of life, pongs too, in running time. */
  lastHeard: number
  /** Frames that came from it. */
  frames: number
  /** How many of them there were when traffic was measured last, and how many a second came before that. */
  framesMeasured: number
  framesPerSecond: number
  /** Since when it has a subscription that is catching up, in running time; undefined while it has none. */
  behindSince: number | undefined
  readonly transport: Transport
  /**
   * Where it comes from, for the log and for admins: behind trusted proxies the address that they pass on; undefined if
   * unknown.
   */
  readonly address: string | undefined
  /** Direct joins. */
  readonly channels: Map<Channel, Subscription>
  /** Room-wide joins. */
  readonly rooms: Map<Room, Subscription>
  /**
   * Subscriptions that come with those, and its inbox: the broadcast of each room, and of rooms that it has joined as a
   * whole the channels that the topic of the room does not deliver to it.
   */
  readonly implied: Map<Feed, Subscription>
  /** The channel that it published to last, which its identity may do: most publish where they published before. */
  lastChannel: Channel | undefined
  /** Takes the answers where they go to a request of HTTP; undefined where they are frames on the connection. */
  caller: ReplySink | undefined
  /** True once it is on its way out: nothing is sent to it any more. */
  isClosing: boolean
}

/** A topic with what feeds it. */
export type Feed = {
  readonly topic: string
  /**
   * What it carries, as a client knows it: one channel, the broadcast or all of a room (`*`), or the client's inbox.
   */
  readonly address: { readonly room: string; readonly channel: string }
  /** Subscriptions that it delivers to: those that are live, and those that catch up. */
  subscribers: number
  /**
   * How many of them are live. This and `subscribers` are numbers, because every message reads them; `setState` alone
   * changes them, and `sampled`.
   */
  live: number
  /** How many of them are sampled: a message reads this only where not all of its subscriptions are live. */
  sampled: number
  /** The turn of the loop in which something went out by it last. */
  turn: number
  /** Messages that had this as their first feed since traffic was measured last. */
  messages: number
  /**
   * The logs that feed it: one for a channel, a broadcast or an inbox; those of all open channels for a room; none for
   * what is live only.
   */
  logs(): Iterable<Log>
  /** The subscription of a client to it. */
  subscriptionOf(client: Client): Subscription | undefined
}

/** From where a subscription catches up: the position of the last message that was delivered, by log of its feed. */
export type Cursors = Map<Log, Position>

/** What a client has asked of a subscription: the names are those of `join_channel`. */
export type SubscriptionOptions = {
  /** Which messages it delivers; undefined for all. */
  readonly delivery?: DeliveryPolicy | undefined
  /** True where its client is told who is there. */
  readonly presence?: boolean | undefined
  /** True where others are not told that its client is there. */
  readonly invisible?: boolean | undefined
}

/**
 * One client's subscription to a channel, a room, the broadcast of a room, or its inbox. Client and target know it: it
 * is in a map of the client, and in `participants`, `roomSubscriptions` or `broadcastSubscriptions` of the target (an
 * implied one to a private channel only by the client).
 */
export type Subscription = {
  readonly client: Client
  readonly feed: Feed
  /**
   * `live`: the topic delivers what is published. Cursors: it is catching up. `sampled`: it delivers by its policy
   * (`delivery/sampling/`). `off`: nothing is delivered by it, because a subscription to the whole room covers it, or
   * its connection is closing. `setState` alone changes it.
   */
  state: 'live' | 'sampled' | 'off' | Cursors
  /** Undefined for a subscription without options, as nearly all are. */
  options: SubscriptionOptions | undefined
  /** For the subscription to a broadcast: the number of joins in the room that hold it. */
  joins: number
}

/** Who may join, read and write: every client; creator, members and admins; or the bus alone. */
export type ChannelType = 'general' | 'private' | 'system' | 'pm'

/** A channel. */
export type Channel = Creator & {
  readonly room: Room
  readonly name: string
  /** `room:channel`. */
  readonly address: string
  /** Counts up with each channel: lists are in this order. */
  readonly seq: number
  readonly type: ChannelType
  readonly createdAt: number
  /** To whom it is counted; undefined for those that are configured or built in. */
  readonly account: Account | undefined
  /** As it was written, in as many bytes: a parsed one may take thirty times as many. */
  metadata: RawJson | undefined
  readonly options: Readonly<ChannelOptions> | undefined
  /** Who may enter a private channel, beside its creator and admins: `metadata.members`. */
  members: ReadonlySet<string> | undefined
  readonly hardcoded: boolean
  readonly autoCreated: boolean
  /** Direct joins: they alone decide deletion, cleanup and `channel_full`. */
  readonly participants: Map<Client, Subscription>
  /** Undefined for channels that are live only. */
  readonly log: Log | undefined
  readonly feed: Feed
  /** The last join, leave or publish, in running time. */
  lastUsed: number
  /** How it ended: it was deleted, or removed because it was idle. */
  ended: 'deleted' | 'removed' | undefined
}

/** A room. */
export type Room = {
  readonly name: string
  /** Counts up with each room: lists are in this order. */
  readonly seq: number
  /**
   * This, `createdAt`, `createdBy` and `holder` change only when a stored room replaces one that was created while the store was
   * away.
   */
  type: RoomType
  /** Built in: not even configuration changes it. */
  readonly builtIn: boolean
  state: 'active' | 'paused'
  /** Whether a private message has been sent by its channel `pm`, which then is private. */
  hasPrivateMessages: boolean
  createdAt: number
  createdBy: Creator['createdBy']
  holder: Creator['holder']
  /** To whom it is counted; undefined for those that are configured or built in. */
  readonly account: Account | undefined
  /** As it was written. */
  config: RawJson | undefined
  readonly channels: Map<string, Channel>
  /** All channels in the order of their creation. */
  readonly channelsInOrder: Ordered<Channel>
  /** The private channels, in that order. */
  readonly restricted: Ordered<Channel>
  /** Room-wide joins. */
  readonly roomSubscriptions: Map<Client, Subscription>
  /**
   * Those of them whose grants do not cover the room: they have a subscription to each channel that they may read, and
   * that to the room delivers nothing.
   */
  readonly expanded: Set<Client>
  /** All clients with a join in the room, of a channel or room-wide: their subscriptions to the broadcast. */
  readonly broadcastSubscriptions: Map<Client, Subscription>
  /** The log of what goes to the whole room. */
  readonly broadcast: Log | undefined
  /** What every participant of the room gets: the broadcast. */
  readonly broadcastFeed: Feed
  /** What room-wide subscriptions deliver: every open channel. */
  readonly wideFeed: Feed
  /** The last join, leave or publish, in running time. */
  lastUsed: number
}

/** Subscribed connections that are known here. */
export function countSubscribers(feeds: readonly Feed[]): number {
  let count = 0
  for (const feed of feeds) count += feed.subscribers
  return count
}
