/**
 * Restores stored rooms and channels (docs/protocol.md#restarts): a stored one replaces what was created under its name
 * while the store was away.
 */
import { CodedError } from '@arqonbus/protocol'
import { may } from '../auth/access.ts'
import type { Channel, Client, Feed, Room } from '../state/model.ts'
import type { ChannelRecord, RoomRecord } from '../state/records.ts'
import type { Rooms } from '../state/rooms.ts'

/** What restoring needs. */
export type RestoreDeps = {
  readonly rooms: Rooms
  readonly subscriptions: {
    subscribe(client: Client, channel: Channel): void
    unsubscribe(client: Client, channel: Channel): void
  }
  /** Notifies a client that one of its subscriptions has ended, and why. */
  readonly endings: {
    subscriptionEnded(client: Client, address: Feed['address'], reason: 'channel_full' | 'forbidden'): void
  }
  /** Called for each restored channel. */
  readonly created: (channel: Channel) => void
}

/** Restores a room or a channel; `too_many_rooms`, `too_many_channels`. What is configured stays as it is. */
export type Restore = { room(record: RoomRecord): void; channel(record: ChannelRecord): void }

/** Creates the functions that restore. */
export function createRestore({ rooms, subscriptions, endings, created }: RestoreDeps): Restore {
  /**
   * A channel that was created while the store was away may be open where the stored one is private: its participants
   * stay only where the stored one admits them.
   */
  const restoreChannel = (room: Room, record: ChannelRecord) => {
    const existing = room.channels.get(record.name)
    const participants = [...(existing?.participants.keys() ?? [])]
    for (const client of participants) subscriptions.unsubscribe(client, existing!)
    const channel = rooms.restoreChannel(room, record)
    created(channel)
    for (const client of participants) joinAgain(client, channel)
  }
  /** The restored channel may have a lower limit of participants, and may not admit this client. */
  const joinAgain = (client: Client, channel: Channel) => {
    const mayJoin = may(client.identity, 'read', channel)
    if (mayJoin && unlessFull(() => subscriptions.subscribe(client, channel))) return
    endings.subscriptionEnded(client, channel.feed.address, mayJoin ? 'channel_full' : 'forbidden')
  }

  return {
    room: (record) => void rooms.restoreRoom(record),
    channel(record) {
      const room = rooms.get(record.room) ?? rooms.restoreRoomOf(record)
      if (!room.builtIn && room.channels.get(record.name)?.hardcoded !== true) restoreChannel(room, record)
    },
  }
}

/** Calls `make`; false where it throws a coded error, because a limit is reached. */
export function unlessFull(make: () => void): boolean {
  try {
    make()
    return true
  } catch (problem) {
    if (problem instanceof CodedError) return false
    throw problem
  }
}
