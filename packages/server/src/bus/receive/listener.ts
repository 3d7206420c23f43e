/** What listeners of the telemetry server send: telemetry, and nothing else (protocol §8). */
import {
  CodedError,
  errorCodes,
  type ProtocolVersions,
  type ReadEnvelope,
  type RouteMemory,
  readEnvelope,
} from '@arqonbus/protocol'
import type { Clock } from '../../kit/clock.ts'
import type { Logger } from '../../kit/logger.ts'
import type { Metrics } from '../../kit/metrics.ts'
import { waitMs } from '../../limits/bucket.ts'
import { type Flood, isSustained, passes, violate } from '../../limits/flood.ts'
import type { Listener } from '../../state/listeners.ts'
import type { Frames } from '../deliver/frames.ts'
import type { ToListeners } from '../deliver/to-listeners.ts'
import { faultOf } from './faults.ts'
import type { ReceiveLimits } from './receive.ts'

/** What one listener has sent. */
export type ListenerIntake = RouteMemory & Flood & { readonly listener: Listener; readonly violations: number[] }

/** The intake of a new listener. */
export const createListenerIntake = (listener: Listener): ListenerIntake => ({
  listener,
  lastRoute: undefined,
  violations: [],
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
  /** Passes on one event; `invalid_telemetry`. */
  readonly relay: (listener: Listener, envelope: ReadEnvelope) => void
}

/** Receiving from listeners. */
export type ListenerReceive = {
  /** A text frame. */
  text(intake: ListenerIntake, frame: string): void
  /** A binary frame: refused. */
  binary(intake: ListenerIntake): void
}

/** Makes it. */
export function createListenerReceive(deps: ListenerReceiveDeps): ListenerReceive {
  const { limits, clock, metrics, logger, frames, toListeners } = deps
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

  const read = (intake: ListenerIntake, frame: string): ReadEnvelope | undefined => {
    if (frame.length * 3 > limits.maxMessageBytes && Buffer.byteLength(frame) > limits.maxMessageBytes) {
      metrics.limit('message_bytes')
      refuse(intake, null, new CodedError('message_too_large', { limit_bytes: limits.maxMessageBytes }))
      return undefined
    }
    const envelope = readEnvelope(frame, readOptions, intake)
    if (!('fault' in envelope)) return envelope
    if (envelope.limit !== undefined) metrics.limit(envelope.limit)
    refuse(intake, envelope.requestId, new CodedError(envelope.fault, { ...envelope.details }))
    return undefined
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
      const envelope = read(intake, frame)
      if (envelope === undefined) return
      const { listener } = intake
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
    },
    binary(intake) {
      if (heard(intake)) refuse(intake, null, new CodedError('binary_frame'))
    },
  }
}
