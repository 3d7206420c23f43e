/**
 * Joins a whole room: a subscription to it and to the channels that its topic does not deliver, from the positions that
 * the client has of each channel.
 */

import { CodedError, type Position, parseAddress, WHOLE_ROOM } from '@arqonbus/protocol'
import { granted, may } from '../auth/access.ts'
import type { Identity } from '../auth/identity.ts'
import type { Pieces } from '../kit/fair-queue.ts'
import { awaitAll, chain, forLater, type Maybe } from '../kit/maybe.ts'
import { encode, RawJson } from '../kit/raw-json.ts'
import type { Channel, Client, Room, SubscriptionOptions } from '../state/model.ts'
import type { RoomResolver } from '../state/resolve.ts'
import { checkPresence, optionsOf, refuseSnapshot } from './beginning.ts'
import { type FindClosedLog, goneFrom, type Head } from './gone-channels.ts'
import {
  idsByChannel,
  type JoinRequest,
  type JoinResult,
  onePosition,
  positionsByChannel,
  refuseType,
  STEPS,
} from './join-request.ts'
import {
  type Asked,
  askLog,
  askNewLog,
  type NewStart,
  type RecoveryDeps,
  recoveryOf,
  roomFields,
  startsOf,
} from './locate.ts'
import { NOTHING_FOUND } from './room-channels.ts'
import type { Subscriptions } from './subscriptions.ts'

/** What joining a room needs. */
export type JoinRoomDeps = RecoveryDeps & {
  readonly resolver: RoomResolver
  readonly subscriptions: Subscriptions
  readonly findClosedLog: FindClosedLog
  /** What the session of a client has kept of the options of a subscription. */
  readonly keptOptions: (client: Client, address: string) => SubscriptionOptions | undefined
  readonly presence: WatchedPresence
}

type WatchedList = { readonly count: number; readonly members?: RawJson; readonly cursor?: string }

/** Who is there, for the reply to a join. */
export type WatchedPresence = {
  /** The list for a client that watches a channel or a room from now on, in so many bytes. */
  watched(client: Client, target: Channel | Room, maxBytes: number): WatchedList
}

/** The heads, and the bytes of members, that the joins of one command may still list together: an answer is one frame. */
export type HeadsLeft = { heads: number; presenceBytes: number }

/** Bytes of members that a reply to a join lists at most. */
export const MEMBERS_BYTES = 32 * 1024

/** The list of members for the reply to a join, where its client watches. */
export function watchedList(
  { presence }: { readonly presence: WatchedPresence },
  client: Client,
  target: Channel | Room,
  left: HeadsLeft,
): { presence?: NonNullable<JoinResult['presence']> } {
  const list = presence.watched(client, target, left.presenceBytes)
  left.presenceBytes -= list.members?.text.length ?? 0
  return { presence: new RawJson(encode(list)) as never }
}

/** Heads that a room-wide join lists at most; a room with more channels cannot be recovered as a whole. */
export const MOST_HEADS = 1000

/** Asks all logs, and returns the function that joins. */
export function* joinRoom(
  deps: JoinRoomDeps,
  client: Client,
  identity: Identity,
  request: JoinRequest,
  left: HeadsLeft,
): Pieces<Maybe<() => JoinResult>> {
  const { resolver, subscriptions, findClosedLog } = deps
  refuseType(request)
  refuseSnapshot(request)
  const roomSince = onePosition(request.room_since, 'room_since')
  const since = yield* positionsByChannel(request.since)
  const ids = idsByChannel(request.since_id)
  const room = resolver.resolveOrCreateRoom(request.room, identity, {
    account: client.account,
    check: (existing) => subscriptions.checkLimits(client, existing),
  })
  if (!client.rooms.has(room)) subscriptions.checkLimits(client, room)
  const listed = yield* readableChannels(room, client, left.heads)
  left.heads -= listed.channels.length
  if (request.snapshot !== undefined && !listed.recoverable) throw tooManyForSnapshot()
  const oneByOne = client.rooms.has(room) ? NOTHING_FOUND : yield* subscriptions.roomChannels.find(client, room)
  // Where not all channels can be listed, no position of a single channel counts.
  const sinceByChannel = listed.recoverable ? since : undefined
  const inChannels: Maybe<NewStart | undefined>[] = []
  for (const channel of listed.channels) {
    const { log, name } = channel
    const since = startOf(channel, sinceByChannel)
    const mayRead = may(identity, 'read_history', channel)
    inChannels.push(forLater(askLog({ log, since, sinceId: ids.get(name), mayRead })))
    if (inChannels.length % STEPS === 0) yield
  }
  const inBroadcast = askLog({
    log: room.broadcast,
    since: roomSince,
    sinceId: request.room_since_id,
    mayRead: granted(identity, 'history', room.name, WHOLE_ROOM),
  })
  // Nothing is said of a channel that the client may not read.
  const isThere = (name: string) => {
    if (!granted(identity, 'join', room.name, name)) return true
    const channel = room.channels.get(name)
    return channel !== undefined && isReadable(channel, client.identity)
  }
  const inGone = forLater(
    sinceByChannel === undefined ? [] : goneFrom(room.name, sinceByChannel, { isThere, findClosedLog }),
  )
  const located = chain(awaitAll([inBroadcast, ...inChannels]), ([ofBroadcast, ...ofChannels]) =>
    chain(inGone, (goneHeads) => ({ ofBroadcast, ofChannels, goneHeads })),
  )
  return chain(located, ({ ofBroadcast, ofChannels, goneHeads }) => () => {
    if (resolver.room(room.name) !== room) throw new CodedError('room_not_found', { room: room.name })
    const broadcast = { log: room.broadcast, since: roomSince, found: ofBroadcast }
    const channels = askedOf(listed, ofChannels, sinceByChannel, { room, client })
    const address = `${room.name}:${WHOLE_ROOM}`
    const options = optionsOf(request, client.rooms.get(room)?.options ?? deps.keptOptions(client, address))
    checkPresence(identity, options, room)
    const isSnapshot = request.snapshot !== undefined
    const starts = startsOf([broadcast, ...channels])
    subscriptions.subscribeToRoom(client, room, oneByOne, { starts, options, isSnapshot })
    const heads: Head[] = channels.map(({ channel, ...asked }) => ({
      channel: channel.address,
      ...(channel.type === 'private' && { type: channel.type }),
      ...recoveryOf(deps, asked, subscriptions.deliveringSubscription(client, channel)),
    }))
    heads.push(...goneHeads.filter(({ channel }) => !isThere(parseAddress(channel)!.channel)))
    return {
      channel: address,
      ...roomFields(recoveryOf(deps, broadcast, room.broadcastSubscriptions.get(client))),
      channels: heads.slice(0, MOST_HEADS),
      recoverable: listed.recoverable,
      ...(options?.presence && watchedList(deps, client, room, left)),
    }
  })
}

const tooManyForSnapshot = (): CodedError =>
  new CodedError('invalid_parameters', {
    path: '/parameters/snapshot',
    expected: `to be absent for a room with so many channels: a command has snapshots of ${MOST_HEADS} of them at most`,
  })

/**
 * True for the channels that a room-wide subscription delivers to a client: open ones, and private ones that it may
 * enter.
 */
const isReadable = (channel: Channel, identity: Identity): boolean =>
  channel.log !== undefined && may(identity, 'read', channel)

/**
 * Where a client goes on in a channel. A channel that is not among the positions was created after them: all of it was
 * missed.
 */
const startOf = ({ name, log }: Channel, since: ReadonlyMap<string, Position> | undefined): Position | undefined =>
  since && (since.get(name) ?? log?.origin)

/** Channels of a room whose heads an answer lists. */
type Listed = {
  readonly channels: readonly Channel[]
  /** The number of the last channel that was looked at. */
  readonly upTo: number
  /** True where these are all that the client may read. */
  readonly recoverable: boolean
}

/**
 * The channels of a room that a client may read. Where there are more than may be listed, it is as many as any answer
 * may list, or none.
 */
function* readableChannels(room: Room, client: Client, most: number): Pieces<Listed> {
  const channels: Channel[] = []
  let upTo = 0
  let steps = 0
  for (const channel of room.channelsInOrder.after(0)) {
    if (++steps % STEPS === 0) yield
    upTo = channel.seq
    if (!isReadable(channel, client.identity)) continue
    if (channels.length === most) return { channels: most < MOST_HEADS ? [] : channels, upTo, recoverable: false }
    channels.push(channel)
  }
  return { channels, upTo, recoverable: true }
}

/**
 * The channels that are there when all logs have answered. Those that were created meanwhile are delivered from their
 * origin, or begin anew where a channel of their name had ended.
 */
function askedOf(
  { channels, upTo, recoverable }: Listed,
  found: readonly (NewStart | undefined)[],
  since: ReadonlyMap<string, Position> | undefined,
  { room, client }: { room: Room; client: Client },
): (Asked & { readonly channel: Channel })[] {
  const all = channels.map((channel, i) => asked(channel, startOf(channel, since), found[i]))
  const there = all.filter(({ channel }) => channel.ended === undefined)
  for (const channel of recoverable ? room.channelsInOrder.after(upTo) : []) {
    if (!isReadable(channel, client.identity)) continue
    const start = startOf(channel, since)
    const mayRead = may(client.identity, 'read_history', channel)
    there.push(asked(channel, start, askNewLog({ log: channel.log, since: start, mayRead })))
  }
  return there
}

const asked = (channel: Channel, since: Position | undefined, found: NewStart | undefined) => ({
  channel,
  log: channel.log,
  since,
  found,
})
