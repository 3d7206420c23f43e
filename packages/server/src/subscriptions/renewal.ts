/**
 * Renewal: a client gets another identity, because its token was renewed or revoked, or other permissions, because those
 * of the configuration were read again; or it becomes a member of a private channel, or stops being one. Subscriptions that it may not hold any more end, with a notice in each.
 */
import { WHOLE_ROOM } from '@arqonbus/protocol'
import { coverage, may, readAction } from '../auth/access.ts'
import type { ConfiguredPermissions } from '../auth/configured-permissions.ts'
import type { Identity } from '../auth/identity.ts'
import type { Announcement, Announcer } from '../cluster/cluster.ts'
import type { EndNotices } from '../delivery/end-notices.ts'
import type { FairQueue, Pieces } from '../kit/fair-queue.ts'
import type { Maybe } from '../kit/maybe.ts'
import { type Clients, replaceIdentity } from '../state/clients.ts'
import type { Channel, Client, Room } from '../state/model.ts'
import type { Rooms } from '../state/rooms.ts'
import type { Subscriptions } from './subscriptions.ts'

/** What renewing needs. */
type RenewalDeps = {
  readonly permissions: Pick<ConfiguredPermissions, 'bound'>
  readonly clients: Pick<Clients, 'get' | 'after'>
  readonly rooms: Pick<Rooms, 'channel'>
  readonly announcer: Pick<Announcer, 'listen'>
  readonly subscriptions: Subscriptions
  readonly endings: Pick<EndNotices, 'subscriptionEnded'>
  readonly turns: FairQueue
}

/** Steps of one piece of work. */
const STEPS = 64

/** Gives clients other identities, and other permissions. */
export class Renewal {
  readonly #deps: RenewalDeps

  constructor(deps: RenewalDeps) {
    this.#deps = deps
    deps.announcer.listen((announcement) => {
      if (announcement.type === 'membership') this.#memberChanged(announcement)
    })
  }

  /**
   * Replaces the identity of a client, within the bounds of the configuration. What it asks from now on is decided by
   * the new one; its subscriptions follow in this turn, or in the next ones where there are many.
   */
  replace(client: Client, renewed: Omit<Identity, 'id'>): Maybe<void> {
    replaceIdentity(client, this.#deps.permissions.bound({ ...renewed, id: client.id }, client.profile.clientType))
    return this.#deps.turns.run(() => this.#revoke(client))
  }

  /** The permissions of the configuration were replaced: they apply to all clients, in turns. */
  reapply(): Maybe<void> {
    return this.#deps.turns.run(() => this.#reapplyToAll())
  }

  #memberChanged({ clientId, room, channel: name }: Extract<Announcement, { type: 'membership' }>): void {
    const { clients, rooms, subscriptions } = this.#deps
    const client = clients.get(clientId)
    const channel = rooms.channel(room, name)
    if (client === undefined || channel === undefined) return
    if (client.lastChannel === channel) client.lastChannel = undefined
    if (may(client.identity, 'read', channel)) subscriptions.roomChannels.changed(client, channel)
    else this.#endChannel(client, channel)
  }

  *#reapplyToAll(): Pieces<void> {
    for (const client of this.#deps.clients.after(0)) {
      const bound = this.#deps.permissions.bound(client.identity, client.profile.clientType)
      if (bound === client.identity) continue
      replaceIdentity(client, bound)
      yield* this.#revoke(client)
      yield
    }
  }

  *#revoke(client: Client): Pieces<void> {
    for (const room of [...client.rooms.keys()]) {
      if (client.isClosing) return
      if (coverage(client.identity, readAction(room.name), room.name) === 'none') this.#endRoom(client, room)
      else yield* this.#deps.subscriptions.adapt(client, room)
    }
    let steps = 0
    for (const channel of [...client.channels.keys()]) {
      if (!may(client.identity, 'read', channel)) this.#endChannel(client, channel)
      if (++steps % STEPS === 0) yield
    }
  }

  #endChannel(client: Client, channel: Channel): void {
    const { subscriptions, endings } = this.#deps
    const wasHeard = channel.feed.subscriptionOf(client) !== undefined
    subscriptions.unsubscribe(client, channel)
    subscriptions.roomChannels.changed(client, channel)
    if (wasHeard) endings.subscriptionEnded(client, channel.feed.address, 'forbidden')
  }

  #endRoom(client: Client, room: Room): void {
    const { subscriptions, endings } = this.#deps
    subscriptions.unsubscribeFromRoom(client, room)
    endings.subscriptionEnded(client, { room: room.name, channel: WHOLE_ROOM }, 'forbidden')
  }
}
