/** What subscribers of the telemetry server send: telemetry, and nothing else (docs/protocol.md#telemetry). */
import type { ParsedEnvelope } from '@arqonbus/protocol'
import type { Frames } from '../delivery/frames.ts'
import { shownPath } from '../kit/text.ts'
import type { TelemetryBroadcast } from '../telemetry/broadcast.ts'
import type { TelemetrySubscriber } from '../telemetry/subscribers.ts'
import { FrameReader, type FrameReaderDeps } from './frame-reader.ts'
import type { SubscriberInbound } from './inbound.ts'

/** What receiving from them needs. */
type SubscriberReceiveDeps = FrameReaderDeps & {
  readonly frames: Pick<Frames, 'error'>
  readonly broadcast: TelemetryBroadcast
  /** Passes on one event; `invalid_telemetry`. */
  readonly relay: (subscriber: TelemetrySubscriber, envelope: ParsedEnvelope) => void
}

/** Creates the reader of their frames. */
export function createSubscriberReceive(deps: SubscriberReceiveDeps): FrameReader<SubscriberInbound> {
  const { metrics, broadcast, frames, logger, turns, relay } = deps
  return new FrameReader(deps, {
    began() {},
    types: ['telemetry'],
    handle({ sender }, envelope) {
      relay(sender, envelope)
    },
    refuse({ sender }, requestId, error) {
      metrics.reject(error.code, sender.id)
      if (error.code === 'message_too_large') metrics.limit('message_bytes')
      broadcast.send(sender, frames.error({ requestId }, error))
      const { id: client_id, address } = sender
      const { code } = error
      logger.info({ event: 'frame_refused', server: 'telemetry', client_id, code, path: shownPath(error), address })
    },
    close({ sender }, name, reason) {
      broadcast.close(sender, name, reason)
    },
    mustWait: () => false,
    /** One that does not read its replies stays paused until it does. */
    readOn({ sender }) {
      broadcast.drained(sender)
    },
    takeTurn(_, pieces) {
      void turns.takeSent(pieces)
    },
  })
}
