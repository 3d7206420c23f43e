/** Joins: a subscription, and everything that was missed since the last one (protocol §4, §5). */
import {
  BUS,
  CodedError,
  type CommandResult,
  type Position,
  parseAddress,
  parsePosition,
  positionText,
  WHOLE_ROOM,
} from '@arqonbus/protocol'
import { may } from '../auth/access.ts'
import type { Identity } from '../auth/identity.ts'
import type { FairQueue, Pieces } from '../kit/fair-queue.ts'
import { awaitAll, chain, forLater, type Maybe } from '../kit/maybe.ts'
import type { Located, Log } from '../log/contract.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Persistence } from '../persistence/persistence.ts'
import type { OwnInbox } from '../publish/inbox.ts'
import type { Channel, ChannelType, Client, Feed, Room } from '../state/model.ts'
import type { RoomResolver } from '../state/resolve.ts'
import { type ClosedLog, goneFrom } from './gone-channels.ts'
import { type Membership, NO_RESTRICTED } from './subscriptions.ts'

/** What to join, and the last that one has. */
export type JoinRequest = {
  readonly room: string
  readonly channel: string
  readonly since?: string | Readonly<Record<string, string>> | undefined
  readonly since_id?: string | Readonly<Record<string, string>> | undefined
  readonly room_since?: string | undefined
  readonly room_since_id?: string | undefined
  /** The type that the channel has, as far as the client knows. */
  readonly type?: ChannelType | undefined
}

/** What joining one address gave. */
export type JoinResult = Extract<CommandResult<'join_channel'>, { channel: string }>

/**
 * What comes of asking for a join: the logs are asked first, and then there is a function that joins, which is called in the tick of the answer. So nothing of
 * the channel comes ahead of the answer, and missed messages follow it when the caller lets the client's connection catch up.
 */
export type Joining = Maybe<() => JoinResult>

/** The heads that the joins of one command may still list together: an answer is one frame. */
export type HeadsLeft = { heads: number }

/** Joins one address, in pieces; throws, or the promise fails, with what a join is refused with. */
export type Join = (client: Client, identity: Identity, request: JoinRequest, left: HeadsLeft) => Pieces<Joining>

/** What joining needs. */
export type JoinDeps = {
  readonly metrics: Pick<Metrics, 'recovery'>
  readonly places: RoomResolver
  readonly membership: Membership
  readonly inboxOf: OwnInbox
  readonly turns: FairQueue
  /** Where rooms and channels are kept: what is not here is asked for before it is made. */
  readonly persistence: Pick<Persistence, 'recallPlace' | 'recallRoom'> | undefined
  readonly closedLog: ClosedLog
}

/** Room-wide joins list so many heads at most; a room with more channels cannot be recovered as a whole. */
export const MOST_HEADS = 1000

/** Work in pieces goes on for so many steps. */
const STEPS = 64

/** Makes it. */
export function createJoin({ metrics, places, membership, inboxOf, turns, persistence, closedLog }: JoinDeps): Join {
  const joinChannel = (client: Client, identity: Identity, request: JoinRequest): Maybe<() => JoinResult> => {
    const since = onePosition(request.since, 'since')
    const sinceId = oneId(request.since_id)
    const roomSince = onePosition(request.room_since, 'room_since')
    const open = () =>
      places.resolveOrCreateChannel(request.room, request.channel, identity, {
        check: (room) => membership.checkLimits(client, room),
        type: request.type,
      })
    const asked = open()
    const located = locate(asked.log, since, sinceId)
    const roomLocated = locate(asked.room.broadcast, roomSince, request.room_since_id)
    return chain(awaitAll([located, roomLocated]), ([found, foundInRoom]) => () => {
      if (asked.ended === 'deleted') throw new CodedError('channel_not_found', { channel: asked.address })
      // One that was swept because nobody had used it until now is created again.
      const channel = asked.ended === 'let go' ? open() : asked
      const { room, address } = channel
      const here = channel === asked ? found : locateAnew(since, channel.log)
      const inRoom = room === asked.room ? foundInRoom : locateAnew(roomSince, room.broadcast)
      membership.joinChannel(client, channel)
      const joined = goOn(client, membership.feedOf(client, channel), channel.log, since, here)
      const broadcast = goOn(client, room.broadcastFeed, room.broadcast, roomSince, inRoom)
      return { channel: address, type: channel.type, ...joined, ...roomFields(broadcast) }
    })
  }

  function* joinRoom(client: Client, identity: Identity, request: JoinRequest, left: HeadsLeft): Pieces<Joining> {
    refuseType(request)
    const roomSince = onePosition(request.room_since, 'room_since')
    const since = yield* positions(request.since)
    const ids = idsByChannel(request.since_id)
    const room = places.resolveOrCreateRoom(request.room, identity, (room) => membership.checkLimits(client, room))
    if (!client.rooms.has(room)) membership.checkLimits(client, room)
    const { channels, upTo, recoverable } = yield* readableChannels(room, client, left.heads)
    left.heads -= channels.length
    const restricted = client.rooms.has(room) ? NO_RESTRICTED : yield* membership.findRestricted(client, room)
    // A channel that is not among the positions was born after them: all of it was missed.
    const startOf = ({ name, log }: Channel) =>
      since === undefined || !recoverable ? undefined : (since.get(name) ?? log?.origin)
    const located: Maybe<Located | undefined>[] = []
    for (const channel of channels) {
      located.push(forLater(locate(channel.log, startOf(channel), ids.get(channel.name))))
      if (located.length % STEPS === 0) yield
    }
    const inRoom = locate(room.broadcast, roomSince, request.room_since_id)
    const isThere = (name: string) => {
      const channel = room.channels.get(name)
      return channel !== undefined && isReadable(channel, client.identity)
    }
    const gone = forLater(since === undefined || !recoverable ? [] : goneFrom(room.name, since, { isThere, closedLog }))
    const answers = chain(awaitAll([inRoom, ...located]), (found) => chain(gone, (gone) => ({ found, gone })))
    return chain(answers, ({ found: [roomFound, ...found], gone }) => () => {
      if (places.room(room.name) !== room) throw new CodedError('room_not_found', { room: room.name })
      membership.joinRoom(client, room, restricted)
      const broadcast = goOn(client, room.broadcastFeed, room.broadcast, roomSince, roomFound)
      const head = (channel: Channel, start: Position | undefined, here: Located | undefined) => ({
        channel: channel.address,
        ...(channel.type === 'private' && { type: channel.type }),
        ...goOn(client, membership.feedOf(client, channel), channel.log, start, here),
      })
      const heads = channels.flatMap((channel, i) =>
        channel.ended !== undefined ? [] : [head(channel, startOf(channel), found[i])],
      )
      // Channels that were born while the logs were asked are given from their birth, or begin anew where one of their name had been.
      for (const channel of recoverable ? room.inOrder.after(upTo) : []) {
        if (!isReadable(channel, client.identity)) continue
        const start = startOf(channel)
        heads.push(head(channel, start, start && locateNewborn(start, channel.log!)))
      }
      heads.push(...gone.filter(({ channel }) => !isThere(parseAddress(channel)!.channel)))
      const address = `${room.name}:${WHOLE_ROOM}`
      return { channel: address, ...roomFields(broadcast), channels: heads.slice(0, MOST_HEADS), recoverable }
    })
  }

  /** One's inbox is always joined: a join with `since` recovers it. */
  const joinInbox = (client: Client, request: JoinRequest): Maybe<() => JoinResult> => {
    refuseType(request)
    const since = onePosition(request.since, 'since')
    const { log, feed, formerHead } = inboxOf(client)
    /** A client that had everything of the inbox of its earlier session has missed nothing. */
    const withFormer = (found: Located | undefined): Maybe<Located | undefined> => {
      if (found === undefined || found.recovered || found.reason !== 'reset' || found.base.n > 0) return found
      return chain(formerHead(), (head) => {
        if (head === undefined || head.ms !== since?.ms || head.n !== since.n) return found
        // Where nothing was ever said the count goes on, too.
        return head.n === 0
          ? { recovered: true, missed: found.head.n, head: found.head }
          : { ...found, isComplete: true }
      })
    }
    const located = chain(locate(log, since, oneId(request.since_id)), withFormer)
    return chain(located, (found) => () => ({
      channel: `${BUS}:inbox`,
      ...goOn(client, feed, log, since, found),
    }))
  }

  /** Lets the client go on behind its position, where it can: one that is joined already is taken there. Says where it goes on. */
  const goOn = (
    client: Client,
    feed: Feed,
    log: Log | undefined,
    since: Position | undefined,
    found: Located | undefined,
  ): Recovery => {
    if (log === undefined) return {}
    if (since === undefined || found === undefined) {
      const standing = membership.standing(client, feed, log)
      // A log that is away, and that nobody has asked before: delivery is live, from the head, wherever that is.
      return standing.n < 0 ? {} : { position: positionText(standing) }
    }
    const from = found.recovered ? since : found.base
    membership.rewind(client, feed, log, from)
    // The log may have more than this node was told of, or have been asked before what was told since.
    const head = found.head.n > log.lastDelivered.n ? found.head : log.lastDelivered
    const missed = head.n - from.n
    metrics.recovery(found.recovered ? 'recovered' : found.reason, missed)
    if (found.recovered) return { position: positionText(head), recovered: true, missed }
    const { reason, first, isComplete } = found
    return {
      position: positionText(from),
      recovered: false,
      reason,
      first: positionText(first),
      missed,
      ...(isComplete && { complete: true }),
    }
  }

  function* ask(client: Client, identity: Identity, request: JoinRequest, left: HeadsLeft): Pieces<Joining> {
    const { room, channel } = request
    if (room === BUS && channel === 'inbox') return joinInbox(client, request)
    const isWhole = channel === WHOLE_ROOM
    const recalled = isWhole ? persistence?.recallRoom(room) : persistence?.recallPlace(room, channel)
    if (recalled === undefined)
      return isWhole ? yield* joinRoom(client, identity, request, left) : joinChannel(client, identity, request)
    return recalled.then(() => {
      refuseGone(client)
      return isWhole
        ? turns.run(() => joinRoom(client, identity, request, left))
        : joinChannel(client, identity, request)
    })
  }

  /** A client that disconnected while its join waited has left everything, and would stay in what it joined now. */
  const refuseGone = (client: Client) => {
    if (client.isClosing) throw new CodedError('client_not_found', { client_id: client.id })
  }

  return function* (client, identity, request, left) {
    refuseGone(client)
    const joining = yield* ask(client, identity, request, left)
    return chain(joining, (take) => () => {
      refuseGone(client)
      return take()
    })
  }
}

/** Asks a log; without `since` it is enough to know where it stands, and where it is away, not even that. */
function locate(
  log: Log | undefined,
  since: Position | undefined,
  sinceId: string | undefined,
): Maybe<Located | undefined> {
  if (log === undefined) return undefined
  if (since !== undefined) return log.locate(since, sinceId)
  const known = log.ready()
  return known instanceof Promise ? known.then(undefined, ignoreAway) : undefined
}

function ignoreAway(problem: unknown): undefined {
  if (problem instanceof CodedError && problem.code === 'storage_unavailable') return undefined
  throw problem
}

/** True for what a room-wide subscription brings a client: private channels that it may enter too. */
const isReadable = (channel: Channel, identity: Identity): boolean =>
  channel.log !== undefined && may(identity, 'read', channel)

/** Channels of a room whose heads an answer lists. */
type Listed = {
  readonly channels: readonly Channel[]
  /** The number of the last channel that was looked at. */
  readonly upTo: number
  /** True where these are all that the client may read. */
  readonly recoverable: boolean
}

/** The channels of a room that a client may read. Where there are more than may be listed, it is as many as any answer may list, or none. */
function* readableChannels(room: Room, client: Client, most: number): Pieces<Listed> {
  const channels: Channel[] = []
  let upTo = 0
  let steps = 0
  for (const channel of room.inOrder.after(0)) {
    if (++steps % STEPS === 0) yield
    upTo = channel.seq
    if (!isReadable(channel, client.identity)) continue
    if (channels.length === most) return { channels: most < MOST_HEADS ? [] : channels, upTo, recoverable: false }
    channels.push(channel)
  }
  return { channels, upTo, recoverable: true }
}

/** The same, of a log that took the place of the one that was asked. */
const locateAnew = (since: Position | undefined, log: Log | undefined): Located | undefined =>
  since === undefined || log === undefined ? undefined : locateNewborn(since, log)

/** What `locate` says of a log that was opened while the other logs were asked: it has everything that it took since, unless it says otherwise later. */
function locateNewborn(since: Position, log: Log): Located | undefined {
  const { origin, attachedAt, lastDelivered: head } = log
  if (head.n < 0) return undefined
  const isOwn = [origin, attachedAt].some(({ ms, n }) => since.ms === ms && since.n === n)
  if (isOwn && since.n === attachedAt.n) return { recovered: true, missed: head.n - attachedAt.n, head }
  const first = log.recent(attachedAt.n, 1, 1)?.[0] ?? head
  return { recovered: false, reason: isOwn ? 'trimmed' : 'reset', first, head, base: attachedAt }
}

/** What a join says of one log. `position` is the head, or where the client stands that is joined and behind: whatever comes after it comes. */
type Recovery = Pick<JoinResult, 'position' | 'recovered' | 'missed' | 'reason' | 'first' | 'complete'>

const roomFields = ({ position, recovered, reason, complete }: Recovery) => ({
  ...(position !== undefined && { room_position: position }),
  ...(recovered !== undefined && { room_recovered: recovered }),
  ...(reason !== undefined && { room_reason: reason }),
  ...(complete && { room_complete: complete }),
})

function refuseType({ type }: JoinRequest): void {
  if (type !== undefined) throw wrong('type', 'to be absent: it is for one channel')
}

function onePosition(since: JoinRequest['since'], name: string): Position | undefined {
  if (since === undefined) return undefined
  const position = typeof since === 'string' ? parsePosition(since) : undefined
  if (position === undefined) throw wrong(name, 'a position')
  return position
}

function oneId(id: JoinRequest['since_id']): string | undefined {
  if (typeof id === 'object') throw wrong('since_id', 'an id')
  return id
}

/** A Map, because channels may have the names that objects are born with: `constructor`. */
function idsByChannel(id: JoinRequest['since_id']): ReadonlyMap<string, string> {
  if (typeof id === 'string') throw wrong('since_id', 'a map of channel to id')
  return new Map(Object.entries(id ?? {}))
}

function* positions(since: JoinRequest['since']): Pieces<Map<string, Position> | undefined> {
  if (since === undefined) return undefined
  if (typeof since === 'string') throw wrong('since', 'a map of channel to position')
  const found = new Map<string, Position>()
  for (const channel of Object.keys(since)) {
    found.set(channel, onePosition(since[channel], `since/${channel}`)!)
    if (found.size % STEPS === 0) yield
  }
  return found
}

const wrong = (name: string, expected: string): CodedError =>
  new CodedError('invalid_parameters', { path: `/parameters/${name}`, expected })
