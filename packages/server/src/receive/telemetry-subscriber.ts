/** What subscribers of the telemetry server send: telemetry, and nothing else (docs/protocol.md#telemetry). */
import { type CloseName, CodedError, type ParsedEnvelope } from '@arqonbus/protocol'
import type { Frames } from '../delivery/frames.ts'
import type { Pieces } from '../kit/fair-queue.ts'
import type { TelemetryBroadcast } from '../telemetry/broadcast.ts'
import type { TelemetrySubscriber } from '../telemetry/subscribers.ts'
import { type FrameHandler, FrameReader, type FrameReaderDeps } from './frame-reader.ts'
import type { SubscriberInbound } from './inbound.ts'

/** What receiving from them needs. */
export type SubscriberReceiveDeps = FrameReaderDeps & {
  readonly frames: Pick<Frames, 'error'>
  readonly broadcast: TelemetryBroadcast
  /** Passes on one event; `invalid_telemetry`. */
  readonly relay: (subscriber: TelemetrySubscriber, envelope: ParsedEnvelope) => void
}

/** What is done with the envelopes of telemetry subscribers. */
class SubscriberHandler implements FrameHandler<SubscriberInbound> {
  readonly #deps: SubscriberReceiveDeps

  constructor(deps: SubscriberReceiveDeps) {
    this.#deps = deps
  }

  began(): void {}

  checkType({ type }: ParsedEnvelope): void {
    if (type === 'telemetry') return
    throw new CodedError('forbidden_type', { path: '/type', expected: '"telemetry": nothing else is taken here' })
  }

  handle({ sender }: SubscriberInbound, envelope: ParsedEnvelope): void {
    this.#deps.relay(sender, envelope)
  }

  refuse({ sender }: SubscriberInbound, requestId: string | null, error: CodedError): void {
    const { metrics, broadcast, frames, logger } = this.#deps
    metrics.reject(error.code)
    if (error.code === 'message_too_large') metrics.limit('message_bytes')
    broadcast.send(sender, frames.error(requestId, undefined, error))
    logger.info({ event: 'frame_refused', server: 'telemetry', client_id: sender.id, code: error.code })
  }

  close({ sender }: SubscriberInbound, name: CloseName, reason?: string): void {
    this.#deps.broadcast.close(sender, name, reason)
  }

  mustWait(): boolean {
    return false
  }

  /** One that does not read its replies stays paused until it does. */
  readOn({ sender }: SubscriberInbound): void {
    this.#deps.broadcast.drained(sender)
  }

  takeTurn(_: SubscriberInbound, frames: () => Pieces<void>): void {
    void this.#deps.turns.takeSent(frames)
  }
}

/** Reads the frames of telemetry subscribers. */
export type SubscriberReceive = FrameReader<SubscriberInbound>

/** Creates the reader of their frames. */
export const createSubscriberReceive = (deps: SubscriberReceiveDeps): SubscriberReceive =>
  new FrameReader(deps, new SubscriberHandler(deps))
