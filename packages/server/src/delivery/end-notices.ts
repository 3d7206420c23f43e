/**
 * Notices of what ends without its subscribers' doing: a channel or a room that is deleted, and a subscription that the
 * bus ends (docs/protocol.md#when-a-channel-or-a-room-ends).
 */
import { type ChannelDeleted, positionText, type SubscriptionEnded } from '@arqonbus/protocol'
import { type Log, UNKNOWN } from '../log/contract.ts'
import type { Channel, Client, Feed, Room } from '../state/model.ts'
import { cursorIn } from '../state/subscription.ts'
import type { Delivery } from './deliver.ts'
import type { Frames } from './frames.ts'
import { gapNotice } from './gaps.ts'

/** The notices. */
export type EndNotices = ReturnType<typeof createEndNotices>

/** Creates the notices of a bus. */
export function createEndNotices(frames: Frames, delivery: Delivery) {
  const notice = (address: Feed['address'], payload: ChannelDeleted | SubscriptionEnded): string =>
    frames.envelope('system', address, JSON.stringify(payload))

  /**
   * To all subscribers of a feed. Those that are catching up in the log are notified first that they will not get the
   * rest of it.
   */
  const toAll = (feed: Feed, { roomSubscriptions }: Room, { log, address, text }: Ended) => {
    if (feed.subscribers === 0) return
    for (const client of feed.live < feed.subscribers ? roomSubscriptions.keys() : []) {
      const cursors = feed.subscriptionOf(client)?.state
      if (typeof cursors !== 'object') continue
      if (log !== undefined) {
        const after = cursorIn(cursors, log)
        const gap = { reason: 'trimmed', after, next: log.lastDelivered } as const
        if (after.n < log.lastDelivered.n) delivery.toClient(client, gapNotice(frames, address, gap))
        cursors.delete(log)
      }
      if (text !== undefined) delivery.toClient(client, text)
    }
    // After the loop: a client that is found slow with this text has everything.
    if (text !== undefined) delivery.publish([feed], { text })
  }

  return {
    /** A channel has ended, and those that are subscribed to its room still are: called before they stop hearing it. */
    channelEnded({ room, name, type, log, feed, ended }: Channel): void {
      if (log === undefined) return
      const address = { room: room.name, channel: name }
      // The end of a log is not known here if its store has been unreachable all the time.
      const last = log.lastDelivered === UNKNOWN ? { ms: 0, n: 0 } : log.lastDelivered
      const deleted = { event: 'channel_deleted', last: positionText(last) } as const
      const text = ended === 'deleted' ? notice(address, deleted) : undefined
      // Those of the room whom its topic does not deliver the channel are subscribed to the feed of the channel.
      if (type !== 'private') toAll(room.wideFeed, room, { log, address, text })
      if (type === 'private' || room.expanded.size > 0) toAll(feed, room, { log, address, text })
    },
    /** A room is deleted: called before its subscribers leave it. */
    roomDeleted(room: Room): void {
      const { wideFeed, broadcast, broadcastFeed } = room
      const { address } = wideFeed
      toAll(broadcastFeed, room, { log: broadcast, address, text: undefined })
      const text = notice(address, { event: 'subscription_ended', reason: 'room_deleted' })
      toAll(wideFeed, room, { log: undefined, address, text })
    },
    /** A client has lost a subscription. */
    subscriptionEnded(client: Client, address: Feed['address'], reason: SubscriptionEnded['reason']): void {
      delivery.toClient(client, notice(address, { event: 'subscription_ended', reason }))
    },
  }
}

/** What has ended: the log, if there is one, and the notice for its subscribers, if there is one. */
type Ended = { readonly log: Log | undefined; readonly address: Feed['address']; readonly text: string | undefined }
