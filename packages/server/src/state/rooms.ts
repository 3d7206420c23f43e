/** The rooms and channels that exist: made, found, deleted. Rules about who may are not here; what must hold whoever asks is. */
import { type ChannelOptions, CodedError, WHOLE_ROOM } from '@arqonbus/protocol'
import { isRestricted } from '../auth/access.ts'
import type { Clock } from '../kit/clock.ts'
import { Ordered } from '../kit/ordered.ts'
import { copyText } from '../kit/text.ts'
import type { Log, LogOptions } from '../log/contract.ts'
import { type FeedSource, TargetFeed } from './feed.ts'
import type { IdleChannels } from './idle.ts'
import { broadcastLog, channelLog } from './log-names.ts'
import type { Channel, ChannelType, Feed, Room, RoomType } from './model.ts'
import type { ChannelRecord, RoomRecord } from './records.ts'

/** How many there may be, and what a log keeps where its channel does not say. */
export type RoomLimits = { readonly maxRooms: number; readonly maxChannels: number; readonly history: LogOptions }

/** What rooms are made with. */
export type RoomsDeps = {
  readonly clock: Pick<Clock, 'now' | 'monotonic'>
  readonly limits: RoomLimits
  /** Opens the log of what is delivered by these feeds. */
  openLog(key: string, feeds: readonly Feed[], options: LogOptions): Log
  /** Hears of each channel that has ended: whoever listened to it must not hear another one of its name. */
  ended(channel: Channel): void
  /** Hears of each room, or channel of it, that was made, has changed, or is gone. */
  changed(room: string, channel?: string): void
}

/** What a new room is. */
export type NewRoom = {
  name: string
  type: RoomType
  builtIn?: boolean
  createdBy?: string | undefined
  config?: Record<string, unknown> | undefined
}

/** What a new channel is. */
export type NewChannel = {
  name: string
  type: ChannelType
  createdBy?: string | undefined
  metadata?: Record<string, unknown> | undefined
  options?: ChannelOptions | undefined
  hardcoded?: boolean
  autoCreated?: boolean
  /** When it was made; now, unless told. */
  createdAt?: number
  /** True for channels without a log: what is said there is heard by who is there. */
  liveOnly?: boolean
}

/** The rooms and channels. */
export type Rooms = {
  readonly size: number
  readonly channelCount: number
  get(name: string): Room | undefined
  channel(room: string, channel: string): Channel | undefined
  all(): Iterable<Room>
  /** Those without a channel. */
  withoutChannels(): Iterable<Room>
  /** In the order in which they were made, the channels that were made after the one with this number. */
  channelsAfter(seq: number): Iterable<Channel>
  /** Makes a room; `too_many_rooms`. */
  createRoom(room: NewRoom): Room
  /** Makes a channel that is not there; at the limit the longest idle one goes for it, or it is `too_many_channels`, with the time after which one may go. */
  createChannel(room: Room, channel: NewChannel): Channel
  /** Makes a channel and the room for it; where the channel cannot be made, there is no room of it either. */
  createWithRoom(room: NewRoom, channel: NewChannel): Channel
  /** Deletes a channel without participants, and what it holds. */
  deleteChannel(channel: Channel): void
  /** Lets go of one that nobody is in and that holds nothing any more. */
  letGo(channel: Channel): void
  /** A dynamic room goes with its last channel, once nobody is in it and its broadcast has expired too. */
  dropIfUnused(room: Room): void
  /** Deletes a room without channels. */
  deleteRoom(room: Room): void
  setState(room: Room, state: Room['state']): void
  /** Puts back a room as it was kept; one that was made meanwhile becomes it. What the configuration says stays: then it is undefined. */
  restoreRoom(record: RoomRecord): Room | undefined
  /** Puts back a channel as it was kept. One that was made meanwhile goes: whoever was in it has left. */
  restoreChannel(room: Room, record: ChannelRecord): Channel
}

/** No rooms. `idle` is asked for the longest idle channel where the limit is reached. */
export function createRooms(deps: RoomsDeps, idle: IdleChannels): Rooms {
  const { clock, limits } = deps
  const rooms = new Map<string, Room>()
  const withoutChannels = new Set<Room>()
  const channels = new Ordered<Channel>()
  let seq = 0
  let roomCount = 0

  const removeChannel = (channel: Channel, how: NonNullable<Channel['ended']>) => {
    const { room, log } = channel
    if (log !== undefined) {
      if (how === 'deleted') log.delete()
      else log.close()
    }
    channel.ended = how
    idle.removed(channel)
    room.channels.delete(channel.name)
    if (room.channels.size === 0) withoutChannels.add(room)
    for (const list of [channels, room.inOrder, room.restricted]) list.delete(channel)
    deps.ended(channel)
    deps.changed(room.name, channel.name)
  }

  /** Lets go of the longest idle channel where there is no room for another one. */
  const makeSpace = (room: Room) => {
    if (channels.size < limits.maxChannels) return
    const longest = idle.longest()
    if ('retryAfterMs' in longest)
      throw new CodedError('too_many_channels', { limit: limits.maxChannels }, longest.retryAfterMs)
    removeChannel(longest, 'let go')
    if (longest.room !== room) self.dropIfUnused(longest.room)
  }

  const self: Rooms = {
    get size() {
      return rooms.size
    },
    get channelCount() {
      return channels.size
    },
    get: (name) => rooms.get(name),
    channel: (room, channel) => rooms.get(room)?.channels.get(channel),
    all: () => rooms.values(),
    withoutChannels: () => withoutChannels,
    channelsAfter: (seq) => channels.after(seq),

    createRoom(wanted) {
      if (rooms.size >= limits.maxRooms && wanted.builtIn !== true)
        throw new CodedError('too_many_rooms', { limit: limits.maxRooms })
      const name = copyText(wanted.name)
      const now = clock.now()
      // Subscribers of a room that was deleted may still be leaving it: they must not hear another one of its name.
      const number = ++roomCount
      const address = { room: name, channel: WHOLE_ROOM }
      const broadcastFeed = new TargetFeed(`b:${name}:${number}`, address, ofBroadcast)
      const wideFeed = new TargetFeed(`w:${name}:${number}`, address, ofRoom)
      const room: Room = {
        name,
        type: wanted.type,
        builtIn: wanted.builtIn ?? false,
        state: 'active',
        createdAt: now,
        createdBy: wanted.createdBy,
        config: wanted.config,
        channels: new Map(),
        inOrder: new Ordered(),
        restricted: new Ordered(),
        wide: new Map(),
        present: new Map(),
        broadcast:
          wanted.builtIn === true ? undefined : deps.openLog(broadcastLog(name), [broadcastFeed], limits.history),
        broadcastFeed,
        wideFeed,
        lastUsed: clock.monotonic(),
      }
      broadcastFeed.target = room
      wideFeed.target = room
      rooms.set(name, room)
      withoutChannels.add(room)
      deps.changed(name)
      return room
    },

    createChannel(room, wanted) {
      if (wanted.hardcoded !== true) makeSpace(room)
      const name = copyText(wanted.name)
      const address = `${room.name}:${name}`
      const feed = new TargetFeed(`c:${address}`, { room: room.name, channel: name }, ofChannel)
      const now = clock.now()
      const channel: Channel = {
        room,
        name,
        address,
        seq: ++seq,
        type: wanted.type,
        createdAt: wanted.createdAt ?? now,
        createdBy: wanted.createdBy,
        metadata: wanted.metadata,
        options: wanted.options,
        members: wanted.type === 'private' ? membersOf(wanted.metadata) : undefined,
        hardcoded: wanted.hardcoded ?? false,
        autoCreated: wanted.autoCreated ?? false,
        participants: new Map(),
        log:
          wanted.liveOnly === true
            ? undefined
            : deps.openLog(
                channelLog(address, wanted.type),
                wanted.type === 'private' ? [feed] : [feed, room.wideFeed],
                logOptions(wanted.options, limits.history),
              ),
        feed,
        lastUsed: clock.monotonic(),
        ended: undefined,
      }
      feed.target = channel
      room.channels.set(name, channel)
      withoutChannels.delete(room)
      channels.add(channel)
      room.inOrder.add(channel)
      if (isRestricted(channel)) room.restricted.add(channel)
      idle.add(channel)
      deps.changed(room.name, name)
      return channel
    },

    createWithRoom(wanted, channel) {
      const room = self.createRoom(wanted)
      try {
        return self.createChannel(room, channel)
      } catch (problem) {
        self.deleteRoom(room)
        throw problem
      }
    },

    deleteChannel(channel) {
      if (channel.participants.size > 0) throw new Error(`${channel.address} has participants`)
      removeChannel(channel, 'deleted')
      self.dropIfUnused(channel.room)
    },

    letGo(channel) {
      removeChannel(channel, 'let go')
      self.dropIfUnused(channel.room)
    },

    dropIfUnused(room) {
      if (room.type !== 'dynamic' || room.channels.size > 0 || room.present.size > 0) return
      if (room.broadcast?.isEmpty() !== true || rooms.get(room.name) !== room) return
      room.broadcast.close()
      rooms.delete(room.name)
      withoutChannels.delete(room)
      deps.changed(room.name)
    },

    deleteRoom(room) {
      if (room.channels.size > 0) throw new Error(`${room.name} has channels`)
      room.broadcast?.delete()
      rooms.delete(room.name)
      withoutChannels.delete(room)
      deps.changed(room.name)
    },

    setState(room, state) {
      room.state = state
      deps.changed(room.name)
    },

    restoreRoom(record) {
      const existing = rooms.get(record.name)
      if (existing?.type === 'system') return undefined
      const { type, state, createdAt, createdBy, config } = record
      return Object.assign(existing ?? self.createRoom(record), { type, state, createdAt, createdBy, config })
    },

    restoreChannel(room, record) {
      const existing = room.channels.get(record.name)
      if (existing !== undefined) removeChannel(existing, 'let go')
      return self.createChannel(room, record)
    },
  }
  return self
}

const ofChannel: FeedSource<Channel> = {
  logs: ({ log }) => (log === undefined ? [] : [log]),
  subscriptions: ({ participants }) => participants,
}
const ofBroadcast: FeedSource<Room> = {
  logs: ({ broadcast }) => (broadcast === undefined ? [] : [broadcast]),
  subscriptions: ({ present }) => present,
}
const ofRoom: FeedSource<Room> = { logs: openLogs, subscriptions: ({ wide }) => wide }

/** The logs of all channels of a room that everybody may read. */
function* openLogs(room: Room): Iterable<Log> {
  for (const channel of room.channels.values()) {
    if (channel.log !== undefined && !isRestricted(channel)) yield channel.log
  }
}

const logOptions = (options: ChannelOptions | undefined, defaults: LogOptions): LogOptions => ({
  size: options?.history_size ?? defaults.size,
  ttlMs: options?.history_ttl_ms ?? defaults.ttlMs,
})

function membersOf(metadata: Record<string, unknown> | undefined): ReadonlySet<string> {
  const members = metadata?.members
  return new Set(Array.isArray(members) ? members.filter((one): one is string => typeof one === 'string') : [])
}
