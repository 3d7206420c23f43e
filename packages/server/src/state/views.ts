/** The entities as results show them: without the names of private channels that the viewer may not read. */
import {
  type ChannelInFull,
  type Channel as ChannelView,
  type Client as ClientView,
  type ListedChannel,
  type ListedClient,
  PM_CHANNEL,
  type Room as RoomView,
} from '@arqonbus/protocol'
import { visible } from '../auth/access.ts'
import type { Identity } from '../auth/identity.ts'
import { type Clock, isoTime } from '../kit/clock.ts'
import { type Encodable, encode } from '../kit/raw-json.ts'
import { fitting } from '../kit/text.ts'
import type { Channel, Client, Room } from './model.ts'
import type { KeptSubscription, Subscribed } from './sessions.ts'
import type { Transport } from './transport.ts'
import type { VisibleRoom } from './visible-room.ts'

/** Maximum entries of a list in an entity. */
const MOST = 1000

/** A client as far as lists show it, whichever node it is connected to. */
export type ViewedClient = Pick<
  Client,
  | 'id'
  | 'seq'
  | 'profile'
  | 'frames'
  | 'framesPerSecond'
  | 'connectedAt'
  | 'lastActivity'
  | 'behindSince'
  | 'address'
  | 'channels'
  | 'rooms'
> & {
  readonly identity: Pick<Identity, 'onBehalfOf'>
} & { readonly transport: Pick<Transport, 'bufferedBytes'> }

/** What turns running time into wall time. */
type WallTime = Pick<Clock, 'wallOf'>

/** Who a client is, and what it says about itself. */
export function profileView({ id, profile }: Pick<Client, 'id' | 'profile'>) {
  const { clientType, screenName, avatar, personality } = profile
  return {
    client_id: id,
    client_type: clientType,
    ...(screenName !== undefined && { screen_name: screenName }),
    ...(avatar !== undefined && { avatar }),
    ...(personality !== undefined && { personality }),
  }
}

/** A client. */
export function clientView(client: ViewedClient, viewer: Identity, clock: WallTime): ClientView {
  return {
    ...profileView(client),
    ...(client.identity.onBehalfOf !== undefined && { on_behalf_of: client.identity.onBehalfOf }),
    state: client.frames > 0 ? 'active' : 'connected',
    connected_at: isoTime(client.connectedAt),
    last_activity: isoTime(Math.trunc(clock.wallOf(client.lastActivity))),
    subscriptions: subscriptionsOf(client, viewer).slice(0, MOST),
  }
}

/** A client with what it has sent, and the state of its delivery. */
export function listedClientView(client: ViewedClient, viewer: Identity, clock: WallTime): ListedClient {
  return {
    ...clientView(client, viewer, clock),
    frames_received: client.frames,
    messages_per_second: rounded(client.framesPerSecond),
    queue_bytes: client.transport.bufferedBytes(),
    behind: client.behindSince !== undefined,
    ...(client.behindSince !== undefined && {
      behind_since: isoTime(Math.trunc(clock.wallOf(client.behindSince))),
    }),
    ...(viewer.role === 'admin' && client.address !== undefined && { address: client.address }),
  }
}

/** The addresses that a client has joined, as far as the viewer may know. */
export function subscriptionsOf(client: Pick<Client, 'id' | 'channels' | 'rooms'>, viewer: Identity): string[] {
  const own = client.id === viewer.id
  const seen = visible(viewer)
  const addresses: string[] = []
  for (const { name } of client.rooms.keys()) if (own || seen.room(name)) addresses.push(`${name}:*`)
  for (const channel of client.channels.keys()) if (own || seen.channel(channel)) addresses.push(channel.address)
  return addresses
}

/** All that a client has joined. */
export function subscribedBy(client: Client): Subscribed {
  const subscribed = new Map<string, KeptSubscription>()
  for (const [room, { options }] of client.rooms) subscribed.set(`${room.name}:*`, { options })
  for (const [{ address, type }, { options }] of client.channels) subscribed.set(address, { type, options })
  return subscribed
}

/** A room, as far as its viewer may know it. */
export function roomView(room: Room, { channels, channelCount, participantCount }: VisibleRoom): Encodable<RoomView> {
  return {
    name: room.name,
    type: room.type,
    state: room.state,
    channels: [...channels],
    channel_count: channelCount,
    created_at: isoTime(room.createdAt),
    ...(room.createdBy !== undefined && { created_by: room.createdBy }),
    ...(room.config !== undefined && { config: room.config }),
    participant_count: participantCount,
  }
}

/** How many channels a view of the room looks at. */
export const roomViewSteps = (room: Room): number => Math.min(room.channels.size, MOST)

/** A channel with its number of participants. */
export function channelView(channel: Channel, participants: number): Encodable<ChannelView> {
  return {
    name: channel.name,
    room: channel.room.name,
    type: channel.type,
    state: channel.type === 'pm' ? 'private' : participants > 0 ? 'active' : 'empty',
    created_at: isoTime(channel.createdAt),
    ...(channel.createdBy !== undefined && { created_by: channel.createdBy }),
    ...(channel.metadata !== undefined && { metadata: channel.metadata }),
    ...(channel.options !== undefined && { options: channel.options }),
    hardcoded: channel.hardcoded,
    auto_created: channel.autoCreated,
    participant_count: participants,
  }
}

/** A channel with its traffic. */
export const listedChannelView = (
  channel: Channel,
  participants: number,
  perSecond: number,
): Encodable<ListedChannel> => ({
  ...channelView(channel, participants),
  messages_per_second: rounded(perSecond),
})

/** Rates are shown in thousandths. */
const rounded = (value: number): number => Math.round(value * 1000) / 1000

/** Clients whose ids are shown. */
export type Shown = { readonly size: number; keys(): Iterable<{ readonly id: string }> }

/** How many clients are in a channel, and those of them, and of its room, whose ids are shown. */
type ChannelClients = { readonly count: number; readonly participants: Shown; readonly roomParticipants: Shown }

/** A channel with its participants and those of its whole room, as many as `maxBytes` of JSON hold. */
export function channelInFull(
  channel: Channel,
  { count, participants, roomParticipants }: ChannelClients,
  maxBytes: number,
): Encodable<ChannelInFull> {
  const view = channelView(channel, count)
  const listBytes = (maxBytes - Buffer.byteLength(encode(view))) / 2
  return {
    ...view,
    participants: firstIds(participants, listBytes),
    room_participants: firstIds(roomParticipants, listBytes),
  }
}

/**
 * The channel of private messages that every room has: no client joins it, and what is sent by it goes to inboxes. It is
 * not among the channels of the room.
 */
export function pmChannelInFull(room: Room): ChannelInFull {
  return {
    name: PM_CHANNEL,
    room: room.name,
    type: 'pm',
    state: room.hasPrivateMessages ? 'private' : 'active',
    created_at: isoTime(room.createdAt),
    hardcoded: true,
    auto_created: false,
    participants: [],
    participant_count: 0,
    room_participants: [],
  }
}

const firstIds = (clients: Shown, maxBytes: number): string[] =>
  fitting(
    Iterator.from(clients.keys())
      .take(MOST)
      .map((client) => client.id),
    maxBytes,
  )
