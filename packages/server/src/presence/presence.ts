/**
 * Presence: who is in a channel or a room, and what they say of themselves (docs/protocol.md#presence).
 *
 * Members are found where the subscriptions are. What is here is only of places that are watched, and of clients that
 * have set a status or whose connections have ended a moment ago: where nobody uses presence, a join costs a comparison
 * and a message nothing.
 */
import { MOST_LISTED_MEMBERS } from '@arqonbus/protocol'
import type { Frames } from '../delivery/frames.ts'
import type { Clock } from '../kit/clock.ts'
import type { FairQueue } from '../kit/fair-queue.ts'
import { RawJson } from '../kit/raw-json.ts'
import { type Every, whileNeeded } from '../kit/timer.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { BusObserver } from '../state/bus-observer.ts'
import type { Clients } from '../state/clients.ts'
import type { Channel, Client, Room, SubscriptionOptions } from '../state/model.ts'
import type { Sessions } from '../state/sessions.ts'
import { DepartedClients } from './departed-clients.ts'
import { listMembers, type MembersOf, type MembersPage } from './list-members.ts'
import type { Absent, Shown } from './member.ts'
import { hiddenIn, isChannel, joinedIn, type Place } from './place.ts'
import { type PresenceEventsDeps, sendEvent } from './presence-events.ts'
import { Statuses } from './statuses.ts'
import { WatchedPlace } from './watched-place.ts'

/** What presence needs. */
type PresenceDeps = {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly every: Every
  readonly turns: FairQueue
  readonly metrics: Pick<Metrics, 'presenceFrames'>
  readonly frames: Pick<Frames, 'envelope'>
  readonly clients: Pick<Clients, 'get' | 'after'>
  readonly sessions: Pick<Sessions, 'get'>
  /** How long a client whose connection has ended is still shown, in milliseconds. */
  readonly graceMs: number
  readonly maxBytes: number
}

/** Four events a second. */
const EVENT_MS = 250
/** What is kept of a member without a subscription. */
const ABSENT_BYTES = 300

/** A list of members, as a reply to a join has it. */
export type MembersList = { readonly count: number; readonly members?: RawJson; readonly cursor?: string }

/** The presence of all places. */
export class Presence {
  readonly #deps: PresenceDeps
  readonly #events: PresenceEventsDeps
  readonly #statuses: Statuses
  readonly #watched = new Map<Place, WatchedPlace>()
  readonly #departed: DepartedClients
  /** Members that set their presence by HTTP, with their places. */
  readonly #remote = new Map<Absent, WatchedPlace>()
  /** Places that something has changed in since the last event. */
  readonly #dirty = new Set<WatchedPlace>()
  readonly #ticks: { wake(): void; stop(): void }
  #numbers = 0

  constructor(deps: PresenceDeps) {
    this.#deps = deps
    this.#statuses = new Statuses(deps.maxBytes)
    this.#departed = new DepartedClients(deps.graceMs)
    this.#events = { ...deps, statuses: this.#statuses, clientsAfter: deps.clients.after }
    this.#ticks = whileNeeded(deps.every, EVENT_MS, () => {
      this.tick()
      return this.#dirty.size > 0 || this.#departed.size > 0 || this.#remote.size > 0
    })
  }

  /** Bytes of statuses, and of members without a connection. */
  get bytes(): number {
    return this.#statuses.bytes
  }

  /** What happens to subscriptions and clients. */
  observer(): Partial<BusObserver> {
    return {
      joined: (client, room, channel) => this.#joined(client, room, channel),
      left: (client, room, channel) => this.#left(client, room, channel),
      subscriptionChanged: (client, room, channel, before) => this.#optionsChanged(client, channel ?? room, before),
      clientConnected: (client) => this.#departed.connected(client.id),
      clientDisconnected: (client) => this.#disconnected(client),
      sessionChanged: (clientId, isNew) => this.#sessionChanged(clientId, isNew === true),
      channelEnded: (channel) => this.#ended(channel),
    }
  }

  /** The list for a client that watches a place from now on, in so many bytes. */
  watched(client: Client, place: Place, maxBytes: number): MembersList {
    const watched = this.#watched.get(place)
    const watcher = watched?.watchers.get(client)
    if (watched === undefined || watcher === undefined) return { count: this.count(place) }
    const { count } = watched
    watcher.seq = watched.seq
    if (watched.isCounting || count > MOST_LISTED_MEMBERS) {
      watcher.isBehind ||= !watched.isCounting
      return { count }
    }
    const { texts, cursor } = listMembers(this.#events, watched, { maxBytes })
    return { count, members: new RawJson(`[${texts.join(',')}]`), ...(cursor !== undefined && { cursor }) }
  }

  /** How many members a place has. */
  count(place: Place): number {
    return this.#watched.get(place)?.count ?? joinedIn(place).size - hiddenIn(place).size
  }

  /** A page of the members of a place, watched or not. */
  members(place: Place, page: Parameters<typeof listMembers>[2]): MembersPage {
    return listMembers(this.#events, this.#watched.get(place) ?? unwatched(place), page)
  }

  /** Sets the status of a client, for one place or everywhere; undefined takes it away. */
  setStatus(clientId: string, place: Place | undefined, text: string | undefined): void {
    this.#statuses.set(clientId, place, text)
    if (text !== undefined) this.#ticks.wake()
    const client = this.#deps.clients.get(clientId)
    if (place !== undefined) this.#update(place, clientId, client)
    else if (client !== undefined) this.profileChanged(client)
  }

  /** What a client says about itself has changed. */
  profileChanged(client: Client): void {
    if (this.#watched.size === 0) return
    for (const place of placesOf(client)) this.#update(place, client.id, client)
  }

  /** A client without a connection is a member of a place for so long; with 0 it is no more. */
  setRemote(member: Shown, place: Place, { ttlMs, text }: { ttlMs: number; text: string | undefined }): void {
    const known = this.#watched.get(place)?.absent.get(member.id)
    if (ttlMs === 0) {
      if (known?.until !== undefined) this.#endRemote(known)
      return
    }
    const until = this.#deps.clock.monotonic() + ttlMs
    if (known?.until === undefined) this.#statuses.reserve(ABSENT_BYTES)
    const watched = this.#watch(place)
    const absent = known ?? { ...member, number: ++this.#numbers, until }
    absent.until = until
    this.#remote.set(absent, watched)
    this.#departed.returned(member.id, place)
    this.#statuses.set(member.id, place, text)
    if (known === undefined) watched.came(absent)
    else watched.changed('updated', absent)
    this.#touch(watched)
  }

  /** Sends events, and ends what has outlived its time. Called four times a second, while there is anything to do. */
  tick(): void {
    const now = this.#deps.clock.monotonic()
    for (const { clientId, places } of this.#departed.takeOver(now)) this.#endDeparted(clientId, places)
    for (const absent of this.#remote.keys()) if (absent.until! <= now) this.#endRemote(absent)
    for (const watched of this.#dirty) {
      if (watched.watchers.size === 0) watched.forgetChanges()
      if (watched.watchers.size > 0 && sendEvent(this.#events, watched)) continue
      this.#dirty.delete(watched)
      this.#tidy(watched)
    }
  }

  /** Ends the tick. */
  stop(): void {
    this.#ticks.stop()
  }

  // ---- What happens.

  #joined(client: Client, room: Room, channel: Channel | undefined): void {
    const subscription = channel === undefined ? client.rooms.get(room) : client.channels.get(channel)
    if (this.#watched.size > 0) {
      if (channel !== undefined) this.#entered(client, channel, false)
      this.#entered(client, room, (room.broadcastSubscriptions.get(client)?.joins ?? 0) > 1)
    }
    if (subscription?.options?.presence) this.#beginWatching(client, channel ?? room)
  }

  #entered(client: Client, place: Place, wasIn: boolean): void {
    this.#departed.returned(client.id, place)
    const watched = this.#watched.get(place)
    if (watched === undefined) return
    const remote = watched.absent.get(client.id)
    if (remote?.until !== undefined) this.#forgetRemote(remote)
    watched.entered(client, wasIn)
    this.#touch(watched)
  }

  #left(client: Client, room: Room, channel: Channel | undefined): void {
    const place = channel ?? room
    if (this.#watched.size > 0) {
      const isStillIn = (room.broadcastSubscriptions.get(client)?.joins ?? 0) > 1
      if (channel !== undefined) this.#exited(client, channel, false)
      this.#exited(client, room, isStillIn)
    }
    this.#watched.get(place)?.watchers.delete(client)
    if (!this.#isGraced(client) && this.#statuses.has(client.id)) this.#statuses.clearIn(client.id, place)
  }

  #exited(client: Client, place: Place, isStillIn: boolean): void {
    const watched = this.#watched.get(place)
    if (watched === undefined) return
    const isGraced = this.#isGraced(client) && !watched.isHidden(client)
    const { id, profile } = client
    watched.exited(client, isStillIn, isGraced ? { id, profile, number: ++this.#numbers, until: undefined } : undefined)
    if (isGraced && watched.absent.has(id)) this.#departed.add(id, place, this.#deps.clock.monotonic())
    this.#touch(watched)
  }

  /** A client whose connection has ended, and whose session goes on, is still shown for a while. */
  #isGraced(client: Client): boolean {
    const { graceMs, sessions } = this.#deps
    return graceMs > 0 && client.isClosing && client.kind === 'connection' && sessions.get(client.id) !== undefined
  }

  #optionsChanged(client: Client, place: Place, before: SubscriptionOptions | undefined): void {
    const { presence, invisible } = optionsIn(place, client) ?? {}
    if ((invisible ?? false) !== (before?.invisible ?? false)) {
      const places = isChannel(place) ? [place, place.room] : [place]
      for (const each of places) {
        this.#watched.get(each)?.entered(client, true)
        this.#touchPlace(each)
      }
    }
    if (presence) this.#beginWatching(client, place)
    else this.#watched.get(place)?.watchers.delete(client)
    this.#touchPlace(place)
  }

  #disconnected(client: Client): void {
    if (!this.#statuses.has(client.id)) return
    if (this.#isGraced(client)) this.#departed.add(client.id, undefined, this.#deps.clock.monotonic())
    else this.#endDeparted(client.id, [])
    this.#ticks.wake()
  }

  /** Without its session nobody comes back; with a new one, somebody else has come. */
  #sessionChanged(clientId: string, isNew: boolean): void {
    if (this.#departed.size === 0) return
    if (!isNew && this.#deps.sessions.get(clientId) !== undefined) return
    const places = this.#departed.remove(clientId)
    if (places !== undefined) this.#endDeparted(clientId, places)
  }

  #ended(channel: Channel): void {
    const watched = this.#watched.get(channel)
    if (watched === undefined) return
    for (const absent of watched.absent.values()) if (absent.until !== undefined) this.#forgetRemote(absent)
    this.#watched.delete(channel)
    this.#dirty.delete(watched)
  }

  // ---- What follows.

  #beginWatching(client: Client, place: Place): void {
    const watched = this.#watch(place)
    watched.watchers.set(client, { client, seq: watched.seq, isBehind: false })
  }

  #watch(place: Place): WatchedPlace {
    return this.#watched.getOrInsertComputed(place, () => new WatchedPlace(place))
  }

  #update(place: Place, clientId: string, client: Client | undefined): void {
    const watched = this.#watched.get(place)
    const member = client !== undefined && watched?.isShown(client) ? client : watched?.absent.get(clientId)
    if (watched === undefined || member === undefined) return
    watched.changed('updated', member)
    this.#touch(watched)
  }

  #endDeparted(clientId: string, places: Iterable<Place>): void {
    const client = this.#deps.clients.get(clientId)
    for (const place of places) {
      const watched = this.#watched.get(place)
      if (watched === undefined) continue
      watched.went(clientId)
      this.#touch(watched)
    }
    const isIn = (place: Place) =>
      this.#departed.has(clientId, place) || (client !== undefined && joinedIn(place).has(client))
    this.#statuses.clear(clientId, isIn, client !== undefined || this.#departed.has(clientId))
  }

  #endRemote(absent: Absent): void {
    const watched = this.#remote.get(absent)
    this.#forgetRemote(absent)
    if (watched === undefined) return
    watched.went(absent.id)
    this.#statuses.clearIn(absent.id, watched.place)
    this.#touch(watched)
  }

  #forgetRemote(absent: Absent): void {
    if (this.#remote.delete(absent)) this.#statuses.reserve(-ABSENT_BYTES)
  }

  #touchPlace(place: Place): void {
    const watched = this.#watched.get(place)
    if (watched !== undefined) this.#touch(watched)
  }

  #touch(watched: WatchedPlace): void {
    this.#dirty.add(watched)
    this.#ticks.wake()
  }

  #tidy({ place, watchers, absent }: WatchedPlace): void {
    if (watchers.size === 0 && absent.size === 0) this.#watched.delete(place)
  }
}

/** Of a place that is not watched it is found out when somebody asks. */
function unwatched(place: Place): MembersOf {
  const hidden = hiddenIn(place)
  return {
    place,
    isShown: (client) => joinedIn(place).has(client) && !hidden.has(client),
    absent: new Map(),
  }
}

const optionsIn = (place: Place, client: Client): SubscriptionOptions | undefined =>
  (isChannel(place) ? client.channels.get(place) : client.rooms.get(place))?.options

/** The channels that a client has joined, and their rooms. */
function placesOf({ channels, rooms }: Client): Set<Place> {
  const places = new Set<Place>(rooms.keys())
  for (const channel of channels.keys()) places.add(channel).add(channel.room)
  return places
}
