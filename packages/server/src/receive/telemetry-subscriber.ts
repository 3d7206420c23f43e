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
  type ProtocolVersions,
  type ReadEnvelope,
  type RouteMemory,
  readEnvelope,
  readInPieces,
} from '@arqonbus/protocol'
import type { Frames } from '../delivery/frames.ts'
import type { Clock } from '../kit/clock.ts'
import type { Pieces, Turns } from '../kit/fair-queue.ts'
import { Queue } from '../kit/queue.ts'
import { waitMs } from '../limits/bucket.ts'
import { type Flood, isSustained, passes, violate } from '../limits/flood.ts'
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { ToListeners } from '../telemetry/broadcast.ts'
import type { Listener } from '../telemetry/subscribers.ts'
import { LONG, QUEUED_BYTES, type ReceiveLimits } from './receive.ts'
import { faultOf } from './to-error.ts'

/** What one listener has sent. */
export type ListenerIntake = RouteMemory &
  Flood & {
    readonly listener: Listener
    readonly violations: number[]
    /** Frames that a turn had no time for. */
    readonly queue: Queue<string>
    queuedBytes: number
    /** True while these wait in the line of the loop. */
    isInLine: boolean
    /** Called when everything is handled that it sent before its connection ended. */
    onHandled: (() => void) | undefined
  }

/** The intake of a new listener. */
export const createListenerIntake = (listener: Listener): ListenerIntake => ({
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
  readonly toListeners: ToListeners
  readonly turns: Turns
  /** Passes on one event; `invalid_telemetry`. */
  readonly relay: (listener: Listener, envelope: ReadEnvelope) => void
}

/** Receiving from listeners. */
export type ListenerReceive = {
  /** A text frame. */
  text(intake: ListenerIntake, frame: string): void
  /** A binary frame: refused. */
  binary(intake: ListenerIntake): void
  /** Its connection has ended: what it sent before that is handled, and then `gone` is called. */
  ended(intake: ListenerIntake, gone: () => void): void
}

/** Makes it. */
export function createListenerReceive(deps: ListenerReceiveDeps): ListenerReceive {
  const { limits, clock, metrics, logger, frames, toListeners, turns } = deps
  const readOptions = { maxDepth: limits.maxDepth, versions: deps.versions }

  const refuse = (intake: ListenerIntake, requestId: string | null, error: CodedError) => {
    const { listener } = intake
    metrics.reject(error.code)
    toListeners.toListener(listener, frames.error(requestId, undefined, error))
    logger.info({ event: 'frame_refused', door: 'telemetry', client_id: listener.id, code: error.code })
    if (errorCodes[error.code].violation !== true) return
    metrics.violations++
    const violations = violate(intake.violations, clock.monotonic(), limits.violationWindowMs)
    if (violations >= limits.maxViolations) toListeners.close(listener, 'repeated_violations')
  }

  const checkRate = (intake: ListenerIntake) => {
    const rate = limits.rateLimit
    if (rate === null) return
    const now = clock.monotonic()
    const outcome = passes(intake, rate, now)
    if (outcome === 'passes') return
    metrics.limit('message_rate')
    if (outcome === 'flooding' && isSustained(intake, rate, { now, thaw: clock.thaw() }))
      toListeners.close(intake.listener, 'slow_consumer', 'sustained flooding')
    throw new CodedError('rate_limited', { messages_per_second: rate.perSecond }, waitMs(intake.rate!, rate))
  }

  const isTooLarge = (frame: string) =>
    frame.length * 3 > limits.maxMessageBytes && Buffer.byteLength(frame) > limits.maxMessageBytes

  /** The way of one frame that is not long. */
  const take = (intake: ListenerIntake, frame: string): void => {
    if (isTooLarge(frame)) refuseTooLarge(intake)
    else handle(intake, readEnvelope(frame, readOptions, intake))
  }

  /** The way of a long one: others have their turn while it is read. */
  function* takeLong(intake: ListenerIntake, frame: string): Pieces<void> {
    if (isTooLarge(frame)) return refuseTooLarge(intake)
    const envelope = yield* readInPieces(frame, readOptions)
    yield
    handle(intake, envelope)
  }

  const refuseTooLarge = (intake: ListenerIntake) => {
    metrics.limit('message_bytes')
    refuse(intake, null, new CodedError('message_too_large', { limit_bytes: limits.maxMessageBytes }))
  }

  const handle = (intake: ListenerIntake, envelope: ReadEnvelope | EnvelopeFault): void => {
    const { listener } = intake
    if (listener.isClosing) return
    if ('fault' in envelope) {
      if (envelope.limit !== undefined) metrics.limit(envelope.limit)
      return refuse(intake, envelope.requestId, new CodedError(envelope.fault, { ...envelope.details }))
    }
    try {
      if (envelope.type !== 'telemetry')
        throw new CodedError('forbidden_type', { path: '/type', expected: '"telemetry": nothing else is taken here' })
      if (envelope.from !== listener.id)
        throw new CodedError('sender_mismatch', { path: '/from', expected: listener.id })
      checkRate(intake)
      deps.relay(listener, envelope)
    } catch (problem) {
      refuse(intake, envelope.id, faultOf(problem, logger, listener))
    }
  }

  /** Takes what is queued, in the line. */
  const takeSoon = (intake: ListenerIntake): void => {
    if (intake.isInLine) return
    intake.isInLine = true
    void turns.takeSent(() => takeQueued(intake))
  }

  function* takeQueued(intake: ListenerIntake): Pieces<void> {
    const { listener, queue } = intake
    try {
      while (queue.length > 0 && !listener.isClosing) {
        const frame = queue.shift()!
        intake.queuedBytes -= frame.length + QUEUED_BYTES
        if (isLong(frame)) yield* takeLong(intake, frame)
        else take(intake, frame)
        yield
      }
      // One that does not read its answers stays paused until it does.
      toListeners.drained(listener)
    } catch (problem) {
      faultOf(problem, logger, listener)
      toListeners.close(listener, 'internal')
    } finally {
      intake.isInLine = false
      intake.onHandled?.()
    }
  }

  const heard = ({ listener }: ListenerIntake): boolean => {
    if (listener.isClosing) return false
    metrics.received++
    listener.lastHeard = clock.monotonic()
    return true
  }

  return {
    text(intake, frame) {
      if (!heard(intake)) return
      metrics.bytesIn += frame.length
      if (!intake.isInLine && frame.length <= LONG && turns.hasTime(intake.listener.lastHeard))
        return take(intake, frame)
      intake.queue.push(frame)
      intake.queuedBytes += frame.length + QUEUED_BYTES
      if (intake.queuedBytes > limits.slowBytes) intake.listener.transport.pause()
      takeSoon(intake)
    },
    binary(intake) {
      if (heard(intake)) refuse(intake, null, new CodedError('binary_frame'))
    },
    ended(intake, gone) {
      if (!intake.isInLine || intake.listener.isClosing) return gone()
      intake.onHandled = gone
    },
  }
}
