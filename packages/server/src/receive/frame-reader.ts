/**
 * Frames become envelopes: the checks that every connection shares (docs/protocol.md#the-envelope).
 *
 * The steps of a frame, in order: size, JSON, schema, type, sender, shutdown, rate; then its handler does what it asks
 * for. Frames of one connection are handled in the order sent: while one waits, those behind it wait too. Everything
 * that goes wrong becomes one coded reply.
 *
 * A turn of the loop takes frames for a few milliseconds. Those that arrive after that wait, connection by connection
 * (`kit/fair-queue.ts`).
 */
import {
  type CloseName,
  CodedError,
  type EnvelopeFault,
  type EnvelopeType,
  errorCodes,
  isLong,
  type ParsedEnvelope,
  type ProtocolVersions,
  readEnvelope,
  readInPieces,
} from '@arqonbus/protocol'
import type { Config } from '../config/index.ts'
import type { Clock } from '../kit/clock.ts'
import type { FairQueue, Pieces } from '../kit/fair-queue.ts'
import { waitMs } from '../limits/bucket.ts'
import { isSustained, passes, violate } from '../limits/flood.ts'
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Inbound } from './inbound.ts'
import { malformed, misplaced } from './refused-frames.ts'
import { faultOf } from './to-error.ts'

/** What reading frames needs. */
export type FrameReaderDeps = {
  /** Of a frame, and of what one connection sends. */
  readonly limits: Pick<
    Config,
    | 'maxMessageBytes'
    | 'maxDepth'
    | 'maxViolations'
    | 'violationWindowMs'
    | 'rateLimit'
    | 'addressRate'
    | 'sendBufferSoftLimit'
  >
  readonly versions: ProtocolVersions
  readonly clock: Pick<Clock, 'monotonic' | 'thaw'>
  readonly metrics: Metrics
  readonly logger: Logger
  readonly turns: FairQueue
}

/** What is done with the envelopes of one kind of connection. */
export type FrameHandler<I extends Inbound> = {
  /** A frame is handled now, at a moment of running time. */
  began(inbound: I, now: number): void
  /** What this kind of connection may send; anything else is `forbidden_type`. */
  readonly types: readonly EnvelopeType[]
  /** Does what an envelope asks for; throws what it is refused with. */
  handle(inbound: I, envelope: ParsedEnvelope, now: number): void
  /** Sends the refusal of a frame. `envelope` has what is known of it. */
  refuse(inbound: I, requestId: string | null, error: CodedError, envelope: Partial<ParsedEnvelope>): void
  /** Ends the connection. */
  close(inbound: I, name: CloseName, reason?: string): void
  /** True while the frames of this connection wait, those that were read already too. */
  mustWait(inbound: I): boolean
  /** Little waits: reads the connection again, unless something else speaks against it. */
  readOn(inbound: I): void
  /** Queues the frames of this connection for a turn of the loop. */
  takeTurn(inbound: I, frames: () => Pieces<void>): void
}

/**
 * Characters of the longest frame that may be handled on arrival. A longer one takes milliseconds: it always waits for
 * its turn, so that no turn handles two of them.
 */
const LONGEST_IMMEDIATE_FRAME = 32 * 1024

/** What a frame that waits takes beside its text: empty ones take memory too. */
const QUEUED_BYTES = 64

/** Reads the frames of one kind of connection. */
export class FrameReader<I extends Inbound> {
  readonly #deps: FrameReaderDeps
  readonly #handler: FrameHandler<I>
  readonly #readOptions: { maxDepth: number; versions: ProtocolVersions }
  /** Connections whose frames wait for their turn. */
  #inLine = 0
  #isStopped = false

  constructor(deps: FrameReaderDeps, handler: FrameHandler<I>) {
    this.#deps = deps
    this.#handler = handler
    this.#readOptions = { maxDepth: deps.limits.maxDepth, versions: deps.versions }
  }

  /** A text frame arrived. */
  text(inbound: I, frame: string): void {
    const { sender } = inbound
    if (sender.isClosing) return
    const { metrics, clock, turns, limits } = this.#deps
    metrics.received++
    metrics.bytesIn += frame.length
    const now = clock.monotonic()
    sender.lastHeard = now
    const isFree = !inbound.isBusy && inbound.queue.length === 0 && frame.length <= LONGEST_IMMEDIATE_FRAME
    if (isFree && !this.#handler.mustWait(inbound) && turns.hasTime(now)) return this.#take(inbound, frame, now)
    inbound.queue.push(frame)
    inbound.queuedBytes += frame.length + QUEUED_BYTES
    if (inbound.queuedBytes > limits.sendBufferSoftLimit) sender.transport.pause()
    this.#takeSoon(inbound)
  }

  /** A binary frame arrived: it is refused. */
  binary(inbound: I): void {
    if (inbound.sender.isClosing) return
    this.#deps.metrics.received++
    inbound.sender.lastHeard = this.#deps.clock.monotonic()
    this.refuse(inbound, null, new CodedError('binary_frame'))
  }

  /** The connection has ended: what it sent before that is handled, and then `gone` is called. */
  ended(inbound: I, gone: () => void): void {
    if (!hasMore(inbound)) return gone()
    inbound.onHandled = gone
    this.goOn(inbound)
  }

  /** Goes on with the frames that waited, and reads the connection again where that is possible. */
  goOn(inbound: I): void {
    if (!inbound.sender.isClosing) {
      this.#takeSoon(inbound)
      this.#readOn(inbound)
    }
    reportHandled(inbound)
  }

  /** From now on frames are refused: `shutting_down`. */
  stop(): void {
    this.#isStopped = true
  }

  /** True where no frame waits for its turn. */
  isSettled(): boolean {
    return this.#inLine === 0
  }

  /** Refuses a frame, and counts it where it violates the protocol. */
  refuse(inbound: I, requestId: string | null, error: CodedError, envelope: Partial<ParsedEnvelope> = {}): void {
    const { metrics, clock, limits } = this.#deps
    this.#handler.refuse(inbound, requestId, error, envelope)
    if (errorCodes[error.code].violation !== true) return
    metrics.violations++
    const violations = violate(inbound.violations, clock.monotonic(), limits.violationWindowMs)
    if (violations >= limits.maxViolations) this.#handler.close(inbound, 'repeated_violations')
  }

  /** Handles a frame that is not long. */
  #take(inbound: I, frame: string, now: number): void {
    this.#handler.began(inbound, now)
    if (this.#isTooLarge(frame)) this.#refuseTooLarge(inbound)
    else this.#handle(inbound, readEnvelope(frame, this.#readOptions, inbound), now)
  }

  /** Handles a long one: other connections have their turn while it is read. */
  *#takeLong(inbound: I, frame: string): Pieces<void> {
    const { clock } = this.#deps
    this.#handler.began(inbound, clock.monotonic())
    if (this.#isTooLarge(frame)) return this.#refuseTooLarge(inbound)
    inbound.isBusy = true
    const envelope = yield* readInPieces(frame, this.#readOptions)
    yield
    inbound.isBusy = false
    if (!inbound.sender.isClosing) this.#handle(inbound, envelope, clock.monotonic())
  }

  #isTooLarge(frame: string): boolean {
    const { maxMessageBytes } = this.#deps.limits
    return frame.length * 3 > maxMessageBytes && Buffer.byteLength(frame) > maxMessageBytes
  }

  #refuseTooLarge(inbound: I): void {
    this.refuse(inbound, null, new CodedError('message_too_large', { limit_bytes: this.#deps.limits.maxMessageBytes }))
  }

  #handle(inbound: I, envelope: ParsedEnvelope | EnvelopeFault, now: number): void {
    const { sender } = inbound
    const { types } = this.#handler
    if ('fault' in envelope) {
      if (envelope.limit !== undefined) this.#deps.metrics.limit(envelope.limit)
      return this.refuse(inbound, envelope.requestId, malformed(envelope, types, sender.id))
    }
    try {
      if (envelope.from !== sender.id || !types.includes(envelope.type)) throw misplaced(envelope, types, sender.id)
      if (this.#isStopped) throw new CodedError('shutting_down')
      this.#checkRate(inbound, now)
      this.#handler.handle(inbound, envelope, now)
    } catch (problem) {
      this.refuse(inbound, envelope.id, faultOf(problem, this.#deps.logger, sender), envelope)
    }
  }

  #checkRate(inbound: I, now: number): void {
    const { limits, metrics, clock } = this.#deps
    const { rateLimit, addressRate } = limits
    if (rateLimit === null) return
    const passage = passes(inbound, { rateLimit, addressRate }, now)
    if (passage === 'passes') return
    metrics.limit(passage)
    if (isSustained(inbound, rateLimit, { now, thaw: clock.thaw() }))
      this.#handler.close(inbound, 'slow_consumer', 'sustained flooding')
    if (passage === 'message_rate')
      throw new CodedError(
        'rate_limited',
        { messages_per_second: rateLimit.perSecond },
        waitMs(inbound.rate!, rateLimit),
      )
    const details = { limit: 'address_rate', messages_per_second: addressRate!.perSecond }
    throw new CodedError('rate_limited', details, waitMs(inbound.addressRate!, addressRate!))
  }

  #mayTake(inbound: I): boolean {
    const { isBusy, queue, sender } = inbound
    return !isBusy && queue.length > 0 && !sender.isClosing && !this.#handler.mustWait(inbound)
  }

  #takeSoon(inbound: I): void {
    if (inbound.isInLine || !this.#mayTake(inbound)) return
    inbound.isInLine = true
    this.#inLine++
    this.#handler.takeTurn(inbound, () => this.#takeQueued(inbound))
  }

  *#takeQueued(inbound: I): Pieces<void> {
    try {
      while (this.#mayTake(inbound)) {
        const frame = inbound.queue.shift()!
        inbound.queuedBytes -= frame.length + QUEUED_BYTES
        if (isLong(frame)) yield* this.#takeLong(inbound, frame)
        else this.#take(inbound, frame, this.#deps.clock.monotonic())
        yield
      }
      this.#readOn(inbound)
    } catch (problem) {
      faultOf(problem, this.#deps.logger, inbound.sender)
      this.#handler.close(inbound, 'internal')
    } finally {
      inbound.isInLine = false
      this.#inLine--
      reportHandled(inbound)
    }
  }

  #readOn(inbound: I): void {
    if (inbound.queuedBytes > this.#deps.limits.sendBufferSoftLimit || this.#handler.mustWait(inbound)) return
    this.#handler.readOn(inbound)
  }
}

/** True while something that was sent is still to be handled. */
const hasMore = ({ queue, waiting, isInLine, sender }: Inbound): boolean =>
  !sender.isClosing && (queue.length > 0 || waiting !== undefined || isInLine)

function reportHandled(inbound: Inbound): void {
  const { onHandled } = inbound
  if (onHandled === undefined || hasMore(inbound)) return
  inbound.onHandled = undefined
  onHandled()
}
