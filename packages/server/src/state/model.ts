/** The entities of the bus and how they hang together: clients, rooms, channels, and the feeds by which they are served. Plain data, no I/O. */

import type { ChannelOptions, ClientType, Position } from '@arqonbus/protocol'
import type { Identity } from '../auth/identity.ts'
import type { Ordered } from '../kit/ordered.ts'
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
   * `connection`: a WebSocket, with a session that is kept after it. By HTTP: `call`, one request, in no list; and `stream`, which only reads: it has no session of
   * its own and creates nothing.
   */
  readonly kind: 'connection' | 'call' | 'stream'
  /** Counts up with each connection: lists go by it. */
  readonly seq: number
  profile: Profile
  /** Who it has proved to be. Changed by `replaceIdentity` in `clients.ts` alone. */
  readonly identity: Identity
  /** Whether it gets its own messages; else an acknowledgement stands for each. */
  readonly echo: boolean
  /** Wall time. */
  readonly connectedAt: number
  /** The same moment in running time. */
  readonly since: number
  /** The last frame from it, pongs aside, in running time. */
  lastActivity: number
  /** The last sign of life, pongs too, in running time. */
  lastHeard: number
  /** Frames that came from it. */
  frames: number
  readonly transport: Transport
  /** Direct joins. */
  readonly channels: Set<Channel>
  /** Room-wide joins. */
  readonly rooms: Set<Room>
  /** What it is delivered, and where it stands in what it is behind in. */
  readonly listening: Listening
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
  /** What it carries, as a client knows it: one channel, the broadcast or all of a room (`*`), or the client's inbox. */
  readonly address: { readonly room: string; readonly channel: string }
  /** Connections that listen. */
  subscribers: number
  /** Those of them that get what is published at once. The others are behind, and catch up from the logs. */
  live: number
  /** The turn of the loop in which something went out by it last. */
  turn: number
  /** The logs that feed it: one for a channel, a broadcast or an inbox; those of all open channels for a room; none for what is live only. */
  logs(): Iterable<Log>
}

/** Where a connection stands in the logs of a feed that it is behind in: the position of the last message it was given, by log. */
export type Cursors = Map<Log, Position>

/** The feeds of a connection: live, or behind with its cursors. */
export type Listening = Map<Feed, 'live' | Cursors>

/** Who may join, read and write: everybody; creator, members and admins; or the bus alone. */
export type ChannelType = 'general' | 'private' | 'system' | 'pm'

/** A channel. */
export type Channel = {
  readonly room: Room
  readonly name: string
  /** `room:channel`. */
  readonly address: string
  /** Counts up with each channel: lists go by it. */
  readonly seq: number
  readonly type: ChannelType
  readonly createdAt: number
  readonly createdBy: string | undefined
  readonly metadata: Readonly<Record<string, unknown>> | undefined
  readonly options: Readonly<ChannelOptions> | undefined
  /** Who may enter a private channel, beside its creator and admins. */
  readonly members: ReadonlySet<string> | undefined
  readonly hardcoded: boolean
  readonly autoCreated: boolean
  /** Direct joins: they alone decide deletion, cleanup and `channel_full`. */
  readonly participants: Set<Client>
  /** Undefined for channels that are live only. */
  readonly log: Log | undefined
  readonly feed: Feed
  /** The last join, leave or publish, in running time. */
  lastUsed: number
  /** How it came to its end: somebody deleted it, or nobody had used it for long enough. */
  ended: 'deleted' | 'let go' | undefined
}

/** How a room came to be: configured, by create_channel, or on demand. */
export type RoomType = 'system' | 'user' | 'dynamic'

/** A room. */
export type Room = {
  readonly name: string
  /** This and who made it when changes only when a room that was kept is put back in place of one that was made meanwhile. */
  type: RoomType
  /** Built in: not even configuration changes it. */
  readonly builtIn: boolean
  state: 'active' | 'paused'
  createdAt: number
  createdBy: string | undefined
  config: Readonly<Record<string, unknown>> | undefined
  readonly channels: Map<string, Channel>
  /** The same in the order in which they were made, and those of them that not everybody may enter. */
  readonly inOrder: Ordered<Channel>
  readonly restricted: Ordered<Channel>
  /** Room-wide joins. */
  readonly wide: Set<Client>
  /** All participants, with the number of their joins: channels and room-wide. */
  readonly present: Map<Client, number>
  /** The log of what goes to the whole room. */
  readonly broadcast: Log | undefined
  /** What every participant of the room gets: the broadcast. */
  readonly broadcastFeed: Feed
  /** What room-wide subscribers get: every channel that everybody may read. */
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
