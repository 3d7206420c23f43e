/**
 * Gap notices: a subscription that may have missed messages is notified before the next one
 * (docs/protocol.md#positions-and-gaps).
 */
import { type Gap, positionText, WHOLE_ROOM } from '@arqonbus/protocol'
import type { Entry, Log, LogGap } from '../log/contract.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Feed } from '../state/model.ts'
import type { Delivery } from './deliver.ts'
import type { Frames } from './frames.ts'

/** The notice of a gap in a log, whose messages a client knows by this address. */
export const gapNotice = (
  frames: Pick<Frames, 'envelope'>,
  address: Feed['address'],
  { reason, after, next }: LogGap,
): string => {
  const payload: Gap = { event: 'gap', reason, after: positionText(after), next: positionText(next) }
  return frames.envelope('system', address, JSON.stringify(payload))
}

/**
 * Creates the listener for gaps: what goes on by these feeds does not follow what was delivered. Live subscriptions get
 * a notice, and those that are behind are closed.
 */
export const createGapNotices =
  (
    frames: Pick<Frames, 'envelope'>,
    delivery: Delivery,
    metrics: Pick<Metrics, 'broke'>,
    brokeBehind: (log: Log) => void,
  ) =>
  (feeds: readonly Feed[], log: Log, gap: LogGap): void => {
    metrics.broke(gap.reason)
    const text = gapNotice(frames, feeds[0]!.address, gap)
    for (const feed of feeds) {
      // A subscription that falls behind before it has the notice would go on across the gap.
      delivery.flush(feed)
      delivery.sendBefore(feed, text)
    }
    brokeBehind(log)
  }

/** Counts a gap that a subscription finds before an entry when it reads a log, and returns the notice of it. */
export const createGapBefore =
  (frames: Pick<Frames, 'envelope'>, metrics: Pick<Metrics, 'broke'>) =>
  (feed: Feed, entry: Entry, gap: LogGap): string => {
    metrics.broke(gap.reason)
    // A subscription to a whole room has many logs: the message says of which one it is.
    const isWholeRoom = feed.address.channel === WHOLE_ROOM
    const { room, channel } = isWholeRoom ? JSON.parse(entry.text) : feed.address
    return gapNotice(frames, { room, channel }, gap)
  }
