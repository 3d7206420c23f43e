/** Gap notices: a break in a log that somebody listens to is told before its next message (protocol §5). */
import { positionText } from '@arqonbus/protocol'
import type { Metrics } from '../../kit/metrics.ts'
import type { Break, Entry, Log } from '../../log/contract.ts'
import type { Channel, Outlet } from '../../state/model.ts'
import type { Delivery } from './deliver.ts'
import type { Frames } from './frames.ts'

/** Gap notices. */
export type GapNotices = {
  /** A channel was made: where one of its name had ended while somebody listened to the room, its count begins anew. */
  channelCreated(channel: Channel): void
  /** Tells those who are live of a break, before an entry that goes out by these outlets. */
  before(outlets: readonly Outlet[], entry: Entry): void
  /** What goes on by these outlets is not what follows what was given: told to those who are live; those who are behind are let go. */
  broke(outlets: readonly Outlet[], log: Log, gap: Break): void
  /** The notice that belongs before the first message of a log: those who are behind are told when they come to it. */
  of(log: Log): string | undefined
}

/** Makes it. */
export function createGapNotices(
  frames: Frames,
  delivery: Delivery,
  metrics: Pick<Metrics, 'broke'>,
  brokeBehind: (log: Log) => void,
): GapNotices {
  /** By the log that began anew, with who hears it. */
  const notices = new WeakMap<Log, { text: string; audience: Outlet }>()
  return {
    channelCreated({ room, name, type, log, outlet }) {
      // It stays remembered: this channel may end without a message, and the next one of its name has to tell.
      const ended = room.ended.get(name)
      if (ended === undefined || log === undefined) return
      // A private channel has an outlet of its own for those of the room who may read it.
      const audience = type === 'private' ? outlet : room.wideOutlet
      if (audience.listeners === 0) return
      const payload = { event: 'gap', reason: 'reset', after: positionText(ended), next: positionText(log.birth) }
      notices.set(log, {
        text: frames.envelope('system', { room: room.name, channel: name }, JSON.stringify(payload)),
        audience,
      })
    },
    before(outlets, entry) {
      if (entry.n !== 1) return
      for (const log of outlets[0]!.logs()) {
        const notice = notices.get(log)
        if (notice !== undefined) delivery.ahead(notice.audience, notice.text)
      }
    },
    broke(outlets, log, { reason, after, next }) {
      metrics.broke(reason)
      const payload = JSON.stringify({ event: 'gap', reason, after: positionText(after), next: positionText(next) })
      const text = frames.envelope('system', outlets[0]!.address, payload)
      for (const outlet of outlets) delivery.ahead(outlet, text)
      brokeBehind(log)
    },
    of: (log) => notices.get(log)?.text,
  }
}
