/**
 * What listeners of the telemetry server send: telemetry, and nothing else (protocol §8).
 *
 * A turn of the loop takes frames for a few milliseconds. Those that arrive after that wait in the line, as the bus's own do (`kit/fair-queue.ts`).
 */
import {
  CodedError,
  type EnvelopeFault,
  errorCodes,
  isLong,
  type ParsedEnvelope,
  type ProtocolVersions,
  type RouteMemory,
  readEnvelope,
  readInPieces,
} from '@arqonbus/protocol'
import type { Frames } from '../delivery/frames.ts'
import type { Clock } from '../kit/clock.ts'
import type { FairQueue, Pieces } from '../kit/fair-queue.ts'
import { Queue } from '../kit/queue.ts'
import { waitMs } from '../limits/bucket.ts'
import { type Flood, isSustained, passes, violate } from '../limits/flood.ts'
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { TelemetryBroadcast } from '../telemetry/broadcast.ts'
import type { TelemetrySubscriber } from '../telemetry/subscribers.ts'
import { LONG, QUEUED_BYTES, type ReceiveLimits } from './receive.ts'
import { faultOf } from './to-error.ts'

/** What one listener has sent. */
export type SubscriberInbound = RouteMemory &
  Flood & {
    readonly listener: TelemetrySubscriber
    readonly violations: number[]
    /** Frames that a turn had no time for. */
    readonly queue: Queue<string>
    queuedBytes: number
    /** True while these wait in the line of the loop. */
    isInLine: boolean
    /** Called when everything is handled that it sent before its connection ended. */
    onHandled: (() => void) | undefined
  }

/** The inbound of a new listener. */
export const createSubscriberInbound = (listener: TelemetrySubscriber): SubscriberInbound => ({
  listener,
  lastRoute: undefined,
  violations: [],
  queue: new Queue(),
  queuedBytes: 0,
  isInLine: false,
  onHandled: undefined,
  floods: 0,
  rate: undefined,
})

/** What it needs. */
export type ListenerReceiveDeps = {
  readonly limits: ReceiveLimits
  readonly versions: ProtocolVersions
  readonly clock: Pick<Clock, 'monotonic' | 'thaw'>
  readonly metrics: Metrics
  readonly logger: Logger
  readonly frames: Frames
  readonly toListeners: TelemetryBroadcast
  readonly turns: FairQueue
  /** Passes on one event; `invalid_telemetry`. */
  readonly relay: (listener: TelemetrySubscriber, envelope: ParsedEnvelope) => void
}

/** Receiving from listeners. */
export type ListenerReceive = {
  /** A text frame. */
  text(inbound: SubscriberInbound, frame: string): void
  /** A binary frame: refused. */
  binary(inbound: SubscriberInbound): void
  /** Its connection has ended: what it sent before that is handled, and then `gone` is called. */
  ended(inbound: SubscriberInbound, gone: () => void): void
}

/** Makes it. */
export function createListenerReceive(deps: ListenerReceiveDeps): ListenerReceive {
  const { limits, clock, metrics, logger, frames, toListeners, turns } = deps
  const readOptions = { maxDepth: limits.maxDepth, versions: deps.versions }

  const refuse = (inbound: SubscriberInbound, requestId: string | null, error: CodedError) => {
    const { listener } = inbound
    metrics.reject(error.code)
    toListeners.toListener(listener, frames.error(requestId, undefined, error))
    logger.info({ event: 'frame_refused', door: 'telemetry', client_id: listener.id, code: error.code })
    if (errorCodes[error.code].violation !== true) return
    metrics.violations++
    const violations = violate(inbound.violations, clock.monotonic(), limits.violationWindowMs)
    if (violations >= limits.maxViolations) toListeners.close(listener, 'repeated_violations')
  }

  const checkRate = (inbound: SubscriberInbound) => {
    const rate = limits.rateLimit
    if (rate === null) return
    const now = clock.monotonic()
    const outcome = passes(inbound, rate, now)
    if (outcome === 'passes') return
    metrics.limit('message_rate')
    if (outcome === 'flooding' && isSustained(inbound, rate, { now, thaw: clock.thaw() }))
      toListeners.close(inbound.listener, 'slow_consumer', 'sustained flooding')
    throw new CodedError('rate_limited', { messages_per_second: rate.perSecond }, waitMs(inbound.rate!, rate))
  }

  const isTooLarge = (frame: string) =>
    frame.length * 3 > limits.maxMessageBytes && Buffer.byteLength(frame) > limits.maxMessageBytes

  /** The way of one frame that is not long. */
  const take = (inbound: SubscriberInbound, frame: string): void => {
    if (isTooLarge(frame)) refuseTooLarge(inbound)
    else handle(inbound, readEnvelope(frame, readOptions, inbound))
  }

  /** The way of a long one: others have their turn while it is read. */
  function* takeLong(inbound: SubscriberInbound, frame: string): Pieces<void> {
    if (isTooLarge(frame)) return refuseTooLarge(inbound)
    const envelope = yield* readInPieces(frame, readOptions)
    yield
    handle(inbound, envelope)
  }

  const refuseTooLarge = (inbound: SubscriberInbound) => {
    metrics.limit('message_bytes')
    refuse(inbound, null, new CodedError('message_too_large', { limit_bytes: limits.maxMessageBytes }))
  }

  const handle = (inbound: SubscriberInbound, envelope: ParsedEnvelope | EnvelopeFault): void => {
    const { listener } = inbound
    if (listener.isClosing) return
    if ('fault' in envelope) {
      if (envelope.limit !== undefined) metrics.limit(envelope.limit)
      return refuse(inbound, envelope.requestId, new CodedError(envelope.fault, { ...envelope.details }))
    }
    try {
      if (envelope.type !== 'telemetry')
        throw new CodedError('forbidden_type', { path: '/type', expected: '"telemetry": nothing else is taken here' })
      if (envelope.from !== listener.id)
        throw new CodedError('sender_mismatch', { path: '/from', expected: listener.id })
      checkRate(inbound)
      deps.relay(listener, envelope)
    } catch (problem) {
      refuse(inbound, envelope.id, faultOf(problem, logger, listener))
    }
  }

  /** Takes what is queued, in the line. */
  const takeSoon = (inbound: SubscriberInbound): void => {
    if (inbound.isInLine) return
    inbound.isInLine = true
    void turns.takeSent(() => takeQueued(inbound))
  }

  function* takeQueued(inbound: SubscriberInbound): Pieces<void> {
    const { listener, queue } = inbound
    try {
      while (queue.length > 0 && !listener.isClosing) {
        const frame = queue.shift()!
        inbound.queuedBytes -= frame.length + QUEUED_BYTES
        if (isLong(frame)) yield* takeLong(inbound, frame)
        else take(inbound, frame)
        yield
      }
      // One that does not read its answers stays paused until it does.
      toListeners.drained(listener)
    } catch (problem) {
      faultOf(problem, logger, listener)
      toListeners.close(listener, 'internal')
    } finally {
      inbound.isInLine = false
      inbound.onHandled?.()
    }
  }

  const heard = ({ listener }: SubscriberInbound): boolean => {
    if (listener.isClosing) return false
    metrics.received++
    listener.lastHeard = clock.monotonic()
    return true
  }

  return {
    text(inbound, frame) {
      if (!heard(inbound)) return
      metrics.bytesIn += frame.length
      if (!inbound.isInLine && frame.length <= LONG && turns.hasTime(inbound.listener.lastHeard))
        return take(inbound, frame)
      inbound.queue.push(frame)
      inbound.queuedBytes += frame.length + QUEUED_BYTES
      if (inbound.queuedBytes > limits.sendBufferSoftLimit) inbound.listener.transport.pause()
      takeSoon(inbound)
    },
    binary(inbound) {
      if (heard(inbound)) refuse(inbound, null, new CodedError('binary_frame'))
    },
    ended(inbound, gone) {
      if (!inbound.isInLine || inbound.listener.isClosing) return gone()
      inbound.onHandled = gone
    },
  }
}
