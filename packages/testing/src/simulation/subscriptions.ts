/**
 * What a simulated client is subscribed to, and the last position that it has of each log. Like every client that must
 * not lose messages, it recovers from that position.
 */
import { parseAddress } from '@arqonbus/protocol'
import type { Observation } from '../checker.ts'
import { CHANNELS, mayRead, TEMPORARY_CHANNEL } from './world.ts'

/** Parameters of `join_channel`: positions and ids of one channel, or of a whole room by the names of its channels. */
export type JoinRequest = {
  readonly channel: string
  readonly since?: string | Record<string, string> | undefined
  readonly since_id?: string | Record<string, string> | undefined
  readonly room_since?: string | undefined
  readonly room_since_id?: string | undefined
}

/** What a join returns about one log. */
type LogResult = { readonly position?: string; readonly recovered?: boolean; readonly complete?: true }

/** The result of `join_channel`: `channels` for a whole room. */
export type JoinResult = LogResult & {
  readonly room_position?: string
  readonly room_recovered?: boolean
  readonly room_complete?: true
  readonly channels?: readonly (LogResult & { readonly channel: string })[]
}

/** A simulated client, and where it reports what it observes. */
export type Observer = {
  readonly id: string
  readonly echo: boolean
  readonly record: (observation: Observation) => void
  /** Counts an event, so that a test can require that it occurred. */
  readonly count: (what: string) => void
}

/** The origin of a log, if the client knows no other. */
const ORIGIN = '0-0'

/** The subscriptions of one client. */
export class Subscriptions {
  /** Addresses that it was subscribed to when its connection ended, and joins again. */
  readonly lost = new Set<string>()
  readonly #inbox: string
  readonly #observer: Observer
  /** The last message of each log, by channel; kept when the connection ends. */
  readonly #last = new Map<string, { readonly position: string; readonly id?: string }>()
  /** Channels of which this connection knows the position after which messages are delivered. */
  readonly #begun = new Set<string>()
  readonly #channels = new Set<string>()
  readonly #rooms = new Set<string>()

  constructor(observer: Observer) {
    this.#observer = observer
    this.#inbox = `inbox:${observer.id}`
  }

  /** What can be left: channels and whole rooms. */
  get addresses(): readonly string[] {
    return [...this.#channels, ...Array.from(this.#rooms, (room) => `${room}:*`)]
  }

  /** The request to join an address, with a recovery or without. */
  joinRequest(address: string, isRecovering: boolean): JoinRequest {
    if (!isRecovering) return { channel: address }
    const { room, channel } = parseAddress(address)!
    const broadcast = this.#last.get(`${room}:*`)
    return {
      channel: address,
      ...(channel === '*' ? this.#sinceOfRoom(room) : this.#since(address)),
      room_since: broadcast?.position,
      room_since_id: broadcast?.id,
    }
  }

  /** The request to recover the inbox. */
  inboxRequest(): JoinRequest {
    return { channel: 'arqonbus:inbox', ...this.#since(this.#inbox) }
  }

  #since(channel: string): Pick<JoinRequest, 'since' | 'since_id'> {
    const last = this.#last.get(channel)
    return { since: last?.position, since_id: last?.id }
  }

  #sinceOfRoom(room: string): Pick<JoinRequest, 'since' | 'since_id'> {
    const since: Record<string, string> = {}
    const ids: Record<string, string> = {}
    for (const [address, last] of this.#last) {
      const { room: roomOfLog, channel } = parseAddress(address)!
      if (roomOfLog !== room || channel === '*') continue
      since[channel] = last.position
      if (last.id !== undefined) ids[channel] = last.id
    }
    return { since, since_id: ids }
  }

  /** A join succeeded. */
  joined(request: JoinRequest, result: JoinResult): void {
    const address = request.channel
    const { room, channel } = parseAddress(address)!
    const { room_position: position, room_recovered: recovered, room_complete: complete } = result
    this.lost.delete(address)
    this.#resume(`${room}:*`, request.room_since, { position, recovered, complete }, this.#isInRoom(room))
    const isRoom = channel === '*'
    if (isRoom && !this.#rooms.has(room)) this.#observer.record({ f: 'begin_room', room })
    for (const log of isRoom ? (result.channels ?? []) : [{ ...result, channel: address }])
      this.#resume(log.channel, sinceIn(request, log.channel), log, this.#isSubscribed(log.channel))
    if (isRoom) this.#rooms.add(room)
    else this.#channels.add(address)
  }

  /** The recovery of the inbox succeeded. */
  joinedInbox(request: JoinRequest, result: JoinResult): void {
    this.#resume(this.#inbox, sinceIn(request, this.#inbox), result, false)
  }

  /** Records the position after which the messages of a log are delivered from this join on. */
  #resume(channel: string, since: string | undefined, result: LogResult, wasSubscribed: boolean): void {
    const { position, recovered, complete } = result
    if (position === undefined) {
      // The channel does not exist any more, and messages may have been missed.
      if (recovered === false) this.#last.delete(channel)
      return
    }
    if (since !== undefined) {
      // Messages may arrive between request and reply if it was subscribed; and a client without copies of its own
      // messages asks from a position before them.
      const isGap = recovered === false && complete !== true && !wasSubscribed && this.#observer.echo
      if (isGap) this.#observer.record({ f: 'gap', channel, after: since, next: position })
      this.#observer.count(recovered === true ? 'recovered' : 'not recovered')
    }
    if (since !== undefined && recovered === true) this.#begin(channel, since)
    // A subscription continues, unless a recovery failed: then it is moved to the returned position.
    else if (!wasSubscribed || recovered === false) this.#begin(channel, position)
    // The channel was created while the client was subscribed to the whole room: it is delivered from its origin.
    else if (!this.#begun.has(channel)) this.#begin(channel, ORIGIN)
  }

  /** It left an address. */
  left(address: string): void {
    const { room, channel } = parseAddress(address)!
    const before = [...CHANNELS, TEMPORARY_CHANNEL].filter(
      (one) => one.startsWith(`${room}:`) && this.#isSubscribed(one),
    )
    if (channel === '*') {
      this.#rooms.delete(room)
      this.#observer.record({ f: 'end_room', room })
    } else this.#channels.delete(address)
    for (const one of before) if (!this.#isSubscribed(one)) this.#end(one)
    if (!this.#isInRoom(room)) this.#end(`${room}:*`)
  }

  /** A message was delivered. */
  delivered(channel: string, id: string, position: string): void {
    this.#last.set(channel, { position, id })
    this.#begun.add(channel)
    this.#observer.record({ f: 'deliver', channel, id, position })
  }

  /** A gap notice arrived. */
  missed(channel: string, next: string): void {
    this.#observer.count('gap')
    this.#last.set(channel, { position: next })
    this.#observer.record({ f: 'gap', channel, next })
  }

  /** A channel was deleted. */
  deleted(channel: string, last: string): void {
    this.#observer.count('channel_deleted')
    this.#last.delete(channel)
    this.#observer.record({ f: 'deleted', channel, last })
  }

  /** The connection ended, and all subscriptions with it. */
  disconnected(): void {
    for (const address of this.addresses) this.lost.add(address)
    this.#begun.clear()
    this.#channels.clear()
    this.#rooms.clear()
    this.#observer.record({ f: 'lost' })
  }

  #begin(channel: string, position: string): void {
    this.#begun.add(channel)
    if (this.#last.get(channel)?.position !== position) this.#last.set(channel, { position })
    this.#observer.record({ f: 'begin', channel, position })
  }

  #end(channel: string): void {
    this.#begun.delete(channel)
    this.#observer.record({ f: 'end', channel })
  }

  /** True if it receives the broadcasts of the room. */
  #isInRoom(room: string): boolean {
    return this.#rooms.has(room) || [...this.#channels].some((channel) => channel.startsWith(`${room}:`))
  }

  #isSubscribed(channel: string): boolean {
    const { room } = parseAddress(channel)!
    return this.#channels.has(channel) || (this.#rooms.has(room) && mayRead(this.#observer.id, channel))
  }
}

/** The position from which a request recovers a channel; undefined if it does not. */
function sinceIn({ since }: JoinRequest, channel: string): string | undefined {
  return typeof since === 'object' ? (since[parseAddress(channel)!.channel] ?? ORIGIN) : since
}
