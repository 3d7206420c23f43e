/** Joins: a subscription, and everything that was missed since the last one (docs/protocol.md#history-and-recovery). */

import { BUS, CodedError, WHOLE_ROOM } from '@arqonbus/protocol'
import { granted, may, readAction, requireCoverage, requireGrant } from '../auth/access.ts'
import type { Identity } from '../auth/identity.ts'
import type { FairQueue, Pieces } from '../kit/fair-queue.ts'
import { awaitAll, chain, type Maybe } from '../kit/maybe.ts'
import type { Persistence } from '../persistence/persistence.ts'
import type { OwnInbox } from '../publish/inbox.ts'
import type { Client } from '../state/model.ts'
import { checkPresence, optionsOf, refuseSnapshot } from './beginning.ts'
import { type JoinRequest, type JoinResult, oneId, onePosition, refuseOptions, refuseType } from './join-request.ts'
import { type HeadsLeft, type JoinRoomDeps, joinRoom, watchedList } from './join-room.ts'
import { askLog, askNewLog, type NewStart, recoveryOf, roomFields, startsOf } from './locate.ts'

/**
 * What comes of asking for a join: the logs are asked first, and then there is a function that joins, which is called
 * in the tick of the answer. So nothing of the channel comes ahead of the answer, and missed messages follow it when
 * the caller lets the client's connection catch up.
 */
export type Joining = Maybe<() => JoinResult>

/** Joins one address, in pieces; throws, or the promise fails, with what a join is refused with. */
export type Join = (client: Client, identity: Identity, request: JoinRequest, left: HeadsLeft) => Pieces<Joining>

/** What joining needs. */
type JoinDeps = JoinRoomDeps & {
  readonly inboxOf: OwnInbox
  readonly turns: FairQueue
  /** Where rooms and channels are kept: what is not here is asked for before it is made. */
  readonly persistence: Pick<Persistence, 'loadTarget' | 'loadRoom'> | undefined
}

/** Creates the function that joins. */
export function createJoin(deps: JoinDeps): Join {
  const { persistence, turns } = deps

  function* ask(client: Client, identity: Identity, request: JoinRequest, left: HeadsLeft): Pieces<Joining> {
    const { room, channel } = request
    requireGranted(identity, request)
    if (room === BUS && channel === 'inbox') return joinInbox(deps, client, identity, request)
    const isWhole = channel === WHOLE_ROOM
    const loading = isWhole ? persistence?.loadRoom(room) : persistence?.loadTarget(room, channel, identity)
    if (loading === undefined)
      return isWhole
        ? yield* joinRoom(deps, client, identity, request, left)
        : joinOne(deps, client, identity, request, left)
    return loading.then(() => {
      refuseGone(client)
      return isWhole
        ? turns.run(() => joinRoom(deps, client, identity, request, left))
        : joinOne(deps, client, identity, request, left)
    })
  }

  return function* (client, identity, request, left) {
    refuseGone(client)
    const asked = client.identity
    const joining = yield* ask(client, identity, request, left)
    return chain(joining, (take) => () => {
      refuseGone(client)
      // It may have got another identity while the logs were asked.
      if (client.identity !== asked) requireGranted(client.identity, request)
      return take()
    })
  }
}

/** Before anything is looked up: a refusal says nothing about what there is. */
function requireGranted(identity: Identity, { room, channel }: JoinRequest): void {
  if (channel === WHOLE_ROOM) requireCoverage(identity, readAction(room), room)
  else requireGrant(identity, readAction(room), room, channel)
}

/** A client that disconnected while its join waited has left everything, and would stay in what it joined now. */
function refuseGone(client: Client): void {
  if (client.isClosing) throw new CodedError('client_not_found', { client_id: client.id })
}

/** Joins a channel. */
function joinOne(deps: JoinDeps, client: Client, identity: Identity, request: JoinRequest, left: HeadsLeft): Joining {
  const { resolver, subscriptions } = deps
  refuseSnapshot(request)
  const since = onePosition(request.since, 'since')
  const sinceId = oneId(request.since_id)
  const roomSince = onePosition(request.room_since, 'room_since')
  const open = () =>
    resolver.resolveOrCreateChannel(request.room, request.channel, identity, {
      account: client.account,
      check: (room) => subscriptions.checkLimits(client, room),
      type: request.type,
    })
  const first = open()
  const mayRead = may(identity, 'read_history', first)
  const mayReadRoom = granted(identity, 'history', request.room, WHOLE_ROOM)
  const located = askLog({ log: first.log, since, sinceId, mayRead })
  const roomLocated = askLog({
    log: first.room.broadcast,
    since: roomSince,
    sinceId: request.room_since_id,
    mayRead: mayReadRoom,
  })
  return chain(awaitAll([located, roomLocated]), ([found, foundInRoom]) => () => {
    if (first.ended === 'deleted') throw new CodedError('channel_not_found', { channel: first.address })
    // A channel that was removed meanwhile because it was idle is created again.
    const channel = first.ended === 'removed' ? open() : first
    // It may have been removed from a private channel meanwhile.
    if (!may(identity, 'find', channel)) throw new CodedError('channel_not_found', { channel: channel.address })
    const { room, log, address, type } = channel
    const { broadcast } = room
    const own = { log, since, found: channel === first ? found : askNewLog({ log, since, mayRead }) }
    const isSameRoom = room === first.room
    const inRoom = {
      log: broadcast,
      since: roomSince,
      found: isSameRoom ? foundInRoom : askNewLog({ log: broadcast, since: roomSince, mayRead: mayReadRoom }),
    }
    const options = optionsOf(request, client.channels.get(channel)?.options ?? deps.keptOptions(client, address))
    checkPresence(identity, options, channel)
    const isSnapshot = request.snapshot !== undefined
    subscriptions.subscribe(client, channel, { starts: startsOf([own, inRoom]), options, isSnapshot })
    const joined = recoveryOf(deps, own, subscriptions.deliveringSubscription(client, channel))
    return {
      channel: address,
      type,
      ...joined,
      ...roomFields(recoveryOf(deps, inRoom, room.broadcastSubscriptions.get(client))),
      ...(options?.presence && watchedList(deps, client, channel, left)),
    }
  })
}

/** A client is always subscribed to its inbox: a join with `since` recovers it. */
function joinInbox(deps: JoinDeps, client: Client, identity: Identity, request: JoinRequest): Joining {
  refuseType(request)
  refuseOptions(request)
  const since = onePosition(request.since, 'since')
  const { log, feed, formerHead } = deps.inboxOf(client)
  /** A client that had everything of the inbox of its earlier session has missed nothing. */
  const withFormer = (found: NewStart | undefined): Maybe<NewStart | undefined> => {
    if (found === undefined || found.recovered || found.reason !== 'reset' || found.base.n > 0) return found
    return chain(formerHead(), (head) => {
      if (head === undefined || head.ms !== since?.ms || head.n !== since.n) return found
      // Where nothing was ever said the count goes on, too.
      return head.n === 0 ? { recovered: true, missed: found.head.n, head: found.head } : { ...found, isComplete: true }
    })
  }
  const mayRead = granted(identity, 'history', BUS, 'inbox')
  const located = chain(askLog({ log, since, sinceId: oneId(request.since_id), mayRead }), withFormer)
  return chain(located, (found) => () => {
    const asked = { log, since, found }
    const subscription = feed.subscriptionOf(client)
    if (subscription !== undefined) deps.delivery.start(subscription, startsOf([asked]))
    return { channel: `${BUS}:inbox`, ...recoveryOf(deps, asked, subscription) }
  })
}
