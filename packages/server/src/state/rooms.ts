/**
 * The rooms and channels that exist: created, found, deleted. Permission is not checked here; what must hold for every
 * request is.
 */
import { type ChannelOptions, WHOLE_ROOM } from '@arqonbus/protocol'
import { isRestricted } from '../auth/access.ts'
import type { Clock } from '../kit/clock.ts'
import { Ordered } from '../kit/ordered.ts'
import type { RawJson } from '../kit/raw-json.ts'
import { copyText } from '../kit/text.ts'
import type { Account } from '../limits/accounts.ts'
import type { Log, LogOptions } from '../log/contract.ts'
import { CreationBudgets, type CreationLimits } from './creation-budgets.ts'
import { type FeedSource, TargetFeed } from './feed.ts'
import type { IdleChannels } from './idle.ts'
import { broadcastLog, channelLog } from './log-names.ts'
import type { Channel, Feed, Room } from './model.ts'
import type { ChannelRecord, RoomRecord } from './records.ts'

/** What rooms are created with. */
type RoomsDeps = {
  readonly clock: Pick<Clock, 'now' | 'monotonic'>
  /** How many there may be, and what a log keeps by default. */
  readonly limits: CreationLimits & { readonly history: LogOptions }
  /** The account of what was stored, by the client id of its creator. */
  accountOfStored(createdBy: string): Account
  /** Opens the log of what is delivered by these feeds. */
  openLog(key: string, feeds: readonly Feed[], options: LogOptions): Log
  /** Called for each channel that has ended: its subscribers must not get messages of another one of its name. */
  ended(channel: Channel): void
  /** Called for each room, or channel of it, that was created, has changed, or is gone. */
  changed(room: string, channel?: string): void
  /** Called for each room that was active and is paused now. */
  paused?(room: Room): void
}

/** `isStored`: it existed before, so it is not refused to its account. */
type Stored = { readonly isStored?: boolean }

/** What a new room is. */
type NewRoom = Pick<Room, 'name' | 'type'> &
  Partial<Pick<Room, 'builtIn' | 'createdBy' | 'holder' | 'account' | 'config'>> &
  Stored

/** What a new channel is; without `createdAt` it is created now. */
type NewChannel = Pick<Channel, 'name' | 'type'> &
  Partial<
    Pick<
      Channel,
      'createdAt' | 'createdBy' | 'holder' | 'account' | 'metadata' | 'options' | 'hardcoded' | 'autoCreated'
    >
  > &
  Stored & {
    /** True for channels without a log, whose messages go to their current subscribers only. */
    readonly liveOnly?: boolean
  }

/** The rooms and channels. */
export class Rooms {
  readonly #deps: RoomsDeps
  readonly #idle: IdleChannels
  readonly #rooms = new Map<string, Room>()
  readonly #inOrder = new Ordered<Room>()
  readonly #withoutChannels = new Set<Room>()
  readonly #channels = new Ordered<Channel>()
  /** Who created what. */
  readonly budgets: CreationBudgets
  #lastSeq = 0
  #lastRoomSeq = 0

  constructor(deps: RoomsDeps, idle: IdleChannels) {
    this.#deps = deps
    this.#idle = idle
    this.budgets = new CreationBudgets(deps.limits, idle)
  }

  get size(): number {
    return this.#rooms.size
  }

  get channelCount(): number {
    return this.#channels.size
  }

  get(name: string): Room | undefined {
    return this.#rooms.get(name)
  }

  channel(room: string, channel: string): Channel | undefined {
    return this.#rooms.get(room)?.channels.get(channel)
  }

  all(): Iterable<Room> {
    return this.#rooms.values()
  }

  /** The rooms that were created after the one with this number, in the order of their creation. */
  roomsAfter(seq: number): Iterable<Room> {
    return this.#inOrder.after(seq)
  }

  /** Rooms without a channel. */
  withoutChannels(): Iterable<Room> {
    return this.#withoutChannels
  }

  /** The channels that were created after the one with this number, in the order of their creation. */
  channelsAfter(seq: number): Iterable<Channel> {
    return this.#channels.after(seq)
  }

  /** Creates a room; `too_many_rooms`. */
  createRoom(wanted: NewRoom): Room {
    const { clock, changed } = this.#deps
    if (wanted.builtIn !== true) this.#makeSpaceForRoom(wanted)
    const { account, config } = wanted
    const name = copyText(wanted.name)
    // Subscribers of a room that was deleted may still be leaving it: they must not get messages of another one of its
    // name.
    const seq = ++this.#lastRoomSeq
    const address = { room: name, channel: WHOLE_ROOM }
    const broadcastFeed = new TargetFeed(`b:${name}:${seq}`, address, ofBroadcast)
    const wideFeed = new TargetFeed(`w:${name}:${seq}`, address, ofRoom)
    const room: Room = {
      name,
      seq,
      type: wanted.type,
      builtIn: wanted.builtIn ?? false,
      state: 'active',
      hasPrivateMessages: false,
      createdAt: clock.now(),
      createdBy: wanted.createdBy,
      holder: wanted.holder,
      account,
      config,
      channels: new Map(),
      channelsInOrder: new Ordered(),
      restricted: new Ordered(),
      roomSubscriptions: new Map(),
      expanded: new Set(),
      broadcastSubscriptions: new Map(),
      broadcast:
        wanted.builtIn === true
          ? undefined
          : this.#deps.openLog(broadcastLog(name), [broadcastFeed], this.#deps.limits.history),
      broadcastFeed,
      wideFeed,
      lastUsed: clock.monotonic(),
    }
    broadcastFeed.target = room
    wideFeed.target = room
    this.#rooms.set(name, room)
    this.budgets.countRoom(room, 1)
    this.#inOrder.add(room)
    this.#withoutChannels.add(room)
    changed(name)
    return room
  }

  /**
   * Creates a channel that does not exist. At a limit an idle one is removed for it: of its own account where that, or
   * its address, has as many as it may have; else of the account that has most. If none is idle, it is
   * `too_many_channels`, with the time after which one may be.
   */
  createChannel(room: Room, wanted: NewChannel): Channel {
    if (wanted.hardcoded !== true) this.#makeSpace(room, wanted)
    const name = copyText(wanted.name)
    const address = `${room.name}:${name}`
    const {
      type,
      createdAt = this.#deps.clock.now(),
      createdBy,
      holder,
      account,
      metadata,
      options,
      hardcoded = false,
    } = wanted
    const isPrivate = type === 'private'
    const feed = new TargetFeed(`c:${address}`, { room: room.name, channel: name }, ofChannel)
    const feeds = isPrivate ? [feed] : [feed, room.wideFeed]
    const logOptions = optionsOf(options, { defaults: this.#deps.limits.history, mayExceed: hardcoded })
    const channel: Channel = {
      room,
      name,
      address,
      seq: ++this.#lastSeq,
      type,
      createdAt,
      createdBy,
      holder,
      account,
      metadata,
      options,
      members: isPrivate ? membersOf(metadata) : undefined,
      hardcoded,
      autoCreated: wanted.autoCreated ?? false,
      participants: new Map(),
      log: wanted.liveOnly === true ? undefined : this.#deps.openLog(channelLog(address, type), feeds, logOptions),
      feed,
      lastUsed: this.#deps.clock.monotonic(),
      ended: undefined,
    }
    feed.target = channel
    room.channels.set(name, channel)
    this.#withoutChannels.delete(room)
    this.#channels.add(channel)
    this.budgets.countChannel(channel, 1)
    room.channelsInOrder.add(channel)
    if (isRestricted(channel)) room.restricted.add(channel)
    this.#idle.add(channel)
    this.#deps.changed(room.name, name)
    return channel
  }

  /** Creates a channel and the room for it; if the channel cannot be created, the room is not either. */
  createWithRoom(wanted: NewRoom, channel: NewChannel): Channel {
    const room = this.createRoom(wanted)
    try {
      return this.createChannel(room, channel)
    } catch (problem) {
      this.deleteRoom(room)
      throw problem
    }
  }

  /**
   * Deletes a channel without participants, and what it holds. A room that `create_channel` created is not removed with
   * it, but when it has been unused for a while: its creator may give it another channel, or delete it.
   */
  deleteChannel(channel: Channel): void {
    const { room } = channel
    if (channel.participants.size > 0) throw new Error(`${channel.address} has participants`)
    this.#remove(channel, 'deleted')
    room.lastUsed = this.#deps.clock.monotonic()
    if (room.type === 'dynamic') this.dropIfUnused(room)
  }

  /** Removes a channel that has no participants and holds nothing any more. */
  letGo(channel: Channel): void {
    this.#remove(channel, 'removed')
    this.dropIfUnused(channel.room)
  }

  /**
   * Removes a room without channels and participants, once its broadcast has expired too. A system room always stays,
   * and a paused one until it is resumed or deleted.
   */
  dropIfUnused(room: Room): void {
    if (room.type === 'system' || room.state === 'paused') return
    if (room.channels.size > 0 || room.broadcastSubscriptions.size > 0) return
    if (room.broadcast?.isEmpty() !== true || this.#rooms.get(room.name) !== room) return
    room.broadcast.close()
    this.#forget(room)
  }

  /** Deletes a room without channels. */
  deleteRoom(room: Room): void {
    if (room.channels.size > 0) throw new Error(`${room.name} has channels`)
    room.broadcast?.delete()
    this.#forget(room)
  }

  /** Gives a private channel other members, which are part of its metadata. */
  setMembers(channel: Channel, metadata: RawJson): void {
    this.budgets.countChannel(channel, -1)
    channel.metadata = metadata
    channel.members = membersOf(metadata)
    this.budgets.countChannel(channel, 1)
    this.#deps.changed(channel.room.name, channel.name)
  }

  setState(room: Room, state: Room['state']): void {
    const isPaused = state === 'paused' && room.state === 'active'
    room.state = state
    this.#deps.changed(room.name)
    if (isPaused) this.#deps.paused?.(room)
  }

  /**
   * Restores a room as it was stored; one that was created meanwhile becomes it. Undefined for a configured room, which
   * stays as it is.
   */
  restoreRoom(record: RoomRecord): Room | undefined {
    const existing = this.#rooms.get(record.name)
    if (existing?.type === 'system') return undefined
    const { type, state, createdAt, createdBy, holder, config } = record
    const room = existing ?? this.createRoom({ ...record, account: this.#accountOfStored(record), isStored: true })
    this.budgets.countRoom(room, -1)
    return this.#counted(Object.assign(room, { type, state, createdAt, createdBy, holder, config }))
  }

  #counted(room: Room): Room {
    this.budgets.countRoom(room, 1)
    return room
  }

  /** Creates the room of a stored channel, which was not stored itself. */
  restoreRoomOf({ room: name, createdBy, holder }: ChannelRecord): Room {
    const account = this.#accountOfStored({ createdBy })
    return this.createRoom({ name, type: 'dynamic', createdBy, holder, account, isStored: true })
  }

  /** Restores a channel as it was stored, in place of one that was created meanwhile, whose participants have left. */
  restoreChannel(room: Room, record: ChannelRecord): Channel {
    const existing = room.channels.get(record.name)
    if (existing !== undefined) this.#remove(existing, 'removed')
    return this.createChannel(room, { ...record, account: this.#accountOfStored(record), isStored: true })
  }

  /** Those of which no creator is stored count together. */
  #accountOfStored({ createdBy = '' }: { readonly createdBy?: string | undefined }): Account {
    return this.#deps.accountOfStored(createdBy)
  }

  #makeSpace(room: Room, { account, isStored }: NewChannel): void {
    const evicted = this.budgets.channelToEvict(account, { count: this.#channels.size, isStored: isStored === true })
    if (evicted === undefined) return
    this.#remove(evicted, 'removed')
    if (evicted.room !== room) this.dropIfUnused(evicted.room)
  }

  #makeSpaceForRoom({ account, isStored }: NewRoom): void {
    const only = this.budgets.onlyChannelToEvict(account, { count: this.#rooms.size, isStored: isStored === true })
    if (only !== undefined) this.letGo(only)
  }

  #remove(channel: Channel, how: NonNullable<Channel['ended']>): void {
    const { room, log } = channel
    if (how === 'deleted') log?.delete()
    else log?.close()
    channel.ended = how
    this.budgets.countChannel(channel, -1)
    this.#idle.removed(channel)
    room.channels.delete(channel.name)
    if (room.channels.size === 0) this.#withoutChannels.add(room)
    for (const list of [this.#channels, room.channelsInOrder, room.restricted]) list.delete(channel)
    this.#deps.ended(channel)
    this.#deps.changed(room.name, channel.name)
  }

  #forget(room: Room): void {
    this.#rooms.delete(room.name)
    this.budgets.countRoom(room, -1)
    this.#inOrder.delete(room)
    this.#withoutChannels.delete(room)
    this.#deps.changed(room.name)
  }
}

const ofChannel: FeedSource<Channel> = {
  logs: ({ log }) => (log === undefined ? [] : [log]),
  subscriptions: ({ participants }) => participants,
}
const ofBroadcast: FeedSource<Room> = {
  logs: ({ broadcast }) => (broadcast === undefined ? [] : [broadcast]),
  subscriptions: ({ broadcastSubscriptions }) => broadcastSubscriptions,
}
const ofRoom: FeedSource<Room> = { logs: openLogs, subscriptions: ({ roomSubscriptions }) => roomSubscriptions }

/** The logs of all open channels of a room. */
function* openLogs(room: Room): Iterable<Log> {
  for (const channel of room.channels.values()) {
    if (channel.log !== undefined && !isRestricted(channel)) yield channel.log
  }
}

/**
 * What the log of a channel keeps. One that was stored may ask for more than the settings allow now; only a configured
 * one gets more than others.
 */
function optionsOf(
  options: ChannelOptions | undefined,
  { defaults, mayExceed }: { readonly defaults: LogOptions; readonly mayExceed: boolean },
): LogOptions {
  // Most channels have no options: they share one object.
  if (options === undefined) return defaults
  const { history_size: size = defaults.size, history_ttl_ms: ttlMs = defaults.ttlMs } = options
  if (mayExceed) return { ...defaults, size, ttlMs }
  return { ...defaults, size: Math.min(size, defaults.size), ttlMs: Math.min(ttlMs, defaults.ttlMs) }
}

function membersOf(metadata: Channel['metadata']): ReadonlySet<string> {
  const { members } = (metadata === undefined ? {} : JSON.parse(metadata.text)) as { members?: unknown }
  return new Set(Array.isArray(members) ? members.filter((one): one is string => typeof one === 'string') : [])
}
