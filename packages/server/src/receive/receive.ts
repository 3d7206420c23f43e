/**
 * Receive: a frame becomes an envelope, and the envelope a publish, a command or telemetry (protocol §2, §3).
 *
 * The steps of a frame, in order: size, JSON, schema, type, sender, rate, then what it asks for. Frames of one client are handled in the order sent:
 * while one waits for a log, those behind it wait too. Handlers are synchronous, and everything that goes wrong becomes one coded answer.
 *
 * A turn of the loop takes frames for a few milliseconds. Those that arrive after that wait in the line, client by client (`kit/fair-queue.ts`).
 */
import {
  CodedError,
  type EnvelopeFault,
  type ErrorCode,
  errorCodes,
  isLong,
  objectIn,
  type ParsedEnvelope,
  type ProtocolVersions,
  type RouteMemory,
  readEnvelope,
  readInPieces,
} from '@arqonbus/protocol'
import type { CatchUp } from '../delivery/catch-up.ts'
import type { Delivery } from '../delivery/deliver.ts'
import type { Replies } from '../delivery/replies.ts'
import type { Clock } from '../kit/clock.ts'
import type { FairQueue, Pieces } from '../kit/fair-queue.ts'
import { Queue } from '../kit/queue.ts'
import { type Bucket, type Rate, waitMs } from '../limits/bucket.ts'
import { type Flood, isSustained, passes, violate } from '../limits/flood.ts'
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Publish } from '../publish/draft.ts'
import type { RecallOf } from '../publish/load-target.ts'
import type { Client } from '../state/model.ts'
import type { Run } from './execute.ts'
import { faultOf } from './to-error.ts'

/** What one connection has sent, and what of it is still to be done. */
export type InboundState = RouteMemory &
  Flood & {
    readonly client: Client
    /** Frames behind one that waits, or that a turn had no time for. */
    readonly queue: Queue<string>
    queuedBytes: number
    /** True while these wait in the line of the loop. */
    isInLine: boolean
    /** True while a command waits for its answer, or a frame is read in pieces. */
    isBusy: boolean
    /** Own publishes whose log has not answered. */
    unsettled: number
    /** What they took up since there were none. */
    unsettledBytes: number
    /** Called when one of them is settled; made with the first publish, for most connections only listen. */
    onSettled: (() => void) | undefined
    /** True while its connection is not read because too much that it published is on its way. */
    isHeldBack: boolean
    /** True while it waits for the fan-out: too much of what was published has not gone out yet. */
    isHeldForFanOut: boolean
    /** Called when everything is handled that it sent before its connection ended. */
    onHandled: (() => void) | undefined
    /** A command that waits for them. */
    waiting: ParsedEnvelope | undefined
    /** The times of the last violations. */
    readonly violations: number[]
    commandRates: Map<string, Bucket> | undefined
  }

/** The state of a new connection: small, since most connections only subscribe. */
export const createInboundState = (client: Client): InboundState => ({
  client,
  lastRoute: undefined,
  queue: new Queue(),
  queuedBytes: 0,
  isInLine: false,
  isBusy: false,
  unsettled: 0,
  unsettledBytes: 0,
  onSettled: undefined,
  isHeldBack: false,
  isHeldForFanOut: false,
  onHandled: undefined,
  waiting: undefined,
  violations: [],
  floods: 0,
  rate: undefined,
  commandRates: undefined,
})

/** The limits of a frame. */
export type ReceiveLimits = {
  readonly maxMessageBytes: number
  readonly maxDepth: number
  readonly maxViolations: number
  readonly violationWindowMs: number
  readonly rateLimit: Rate | null
  /** Frames that wait, or whose log has not answered, may take so many bytes before the socket is no longer read. */
  readonly sendBufferSoftLimit: number
  /** So much may be on its way to the log, or wait for the place that it goes to, before the sockets of publishers are no longer read. */
  readonly redisQueueBytes: number
}

/** What receiving needs. */
export type ReceiveDeps = {
  readonly limits: ReceiveLimits
  readonly versions: ProtocolVersions
  readonly clock: Pick<Clock, 'monotonic' | 'thaw'>
  readonly metrics: Metrics
  readonly logger: Logger
  readonly answers: Replies
  readonly delivery: Delivery
  readonly catchUp: CatchUp
  readonly publish: Publish
  /** Asks for what a message goes to, where it is not here and may be stored. */
  readonly recall: RecallOf | undefined
  readonly run: Run
  readonly turns: FairQueue
  /** True while so much is on its way to the log, from all clients together, that each publisher waits until its own messages are settled. */
  readonly isCongested: () => boolean
  readonly relayTelemetry: (client: Client, envelope: ParsedEnvelope) => void
  /** Hears of frames that are refused. */
  readonly refused: (client: Client, code: ErrorCode, envelope: Partial<ParsedEnvelope>) => void
}

/** Receiving. */
export type Receive = {
  /** A text frame. */
  text(inbound: InboundState, frame: string): void
  /** A binary frame: refused. */
  binary(inbound: InboundState): void
  /** There is room in the send buffer again. */
  drained(inbound: InboundState): void
  /** Its connection has ended: what it sent before that is handled, and then `gone` is called. */
  ended(inbound: InboundState, gone: () => void): void
  /** Frames wait until the promise ends. */
  hold(inbound: InboundState, until: Promise<void>): void
  /** What was published has gone out: who waited for that goes on. */
  relieved(): void
  /** From now on frames are refused: `shutting_down`. */
  stop(): void
  /** False while a log or a command has not answered yet. */
  isSettled(): boolean
}

const bytesOf = ({ head, body }: ParsedEnvelope): number => head.length + body.length

const nameOnly: ReadonlySet<string> = new Set(['name'])

/** One message in so many has its way through the bus timed. */
const SAMPLE = 16

/** When to try again where too much waits to go out. */
const RETRY_AFTER_MS = 100

/** To handle a longer frame takes milliseconds: it always goes into the line, so that no turn has two of them. */
export const LONG = 32 * 1024

/** What a frame that waits takes beside its text: empty ones take memory too. */
export const QUEUED_BYTES = 64

/** Makes it. */
export function createReceive(deps: ReceiveDeps): Receive {
  const { limits, clock, metrics, answers, delivery, logger } = deps
  const readOptions = { maxDepth: limits.maxDepth, versions: deps.versions }
  let count = 0
  /** Publishes and commands under way, of all clients. */
  let open = 0
  /** Of messages whose place is asked for. */
  let recallingBytes = 0
  let isStopped = false
  /** Those that wait for the fan-out. */
  const held = new Set<InboundState>()

  const refuse = (
    inbound: InboundState,
    requestId: string | null,
    error: CodedError,
    envelope: Partial<ParsedEnvelope> = {},
  ) => {
    const { client } = inbound
    const { room, channel } = envelope
    answers.refuse(client, requestId, undefined, error)
    deps.refused(client, error.code, envelope)
    logger.info({ event: 'frame_refused', client_id: client.id, room, channel, code: error.code })
    if (errorCodes[error.code].violation !== true) return
    metrics.violations++
    const violations = violate(inbound.violations, clock.monotonic(), limits.violationWindowMs)
    if (violations >= limits.maxViolations) delivery.close(client, 'repeated_violations')
  }

  const isTooLarge = (frame: string) =>
    frame.length * 3 > limits.maxMessageBytes && Buffer.byteLength(frame) > limits.maxMessageBytes

  const checkRate = (inbound: InboundState, now: number) => {
    const rate = limits.rateLimit
    if (rate === null) return
    const outcome = passes(inbound, rate, now)
    if (outcome === 'passes') return
    metrics.limit('message_rate')
    if (outcome === 'flooding' && isSustained(inbound, rate, { now, thaw: clock.thaw() }))
      delivery.close(inbound.client, 'slow_consumer', 'sustained flooding')
    throw new CodedError('rate_limited', { messages_per_second: rate.perSecond }, waitMs(inbound.rate!, rate))
  }

  /** The way of one frame that is not long. */
  const take = (inbound: InboundState, frame: string, now: number): void => {
    const { client } = inbound
    client.lastActivity = now
    client.frames++
    if (isTooLarge(frame)) return refuseTooLarge(inbound)
    handle(inbound, readEnvelope(frame, readOptions, inbound), now)
  }

  /** The way of a long one: others have their turn while it is read. */
  function* takeLong(inbound: InboundState, frame: string): Pieces<void> {
    const { client } = inbound
    client.lastActivity = clock.monotonic()
    client.frames++
    if (isTooLarge(frame)) return refuseTooLarge(inbound)
    inbound.isBusy = true
    const envelope = yield* readInPieces(frame, readOptions)
    yield
    inbound.isBusy = false
    if (!client.isClosing) handle(inbound, envelope, clock.monotonic())
  }

  const refuseTooLarge = (inbound: InboundState) =>
    refuse(inbound, null, new CodedError('message_too_large', { limit_bytes: limits.maxMessageBytes }))

  const handle = (inbound: InboundState, envelope: ParsedEnvelope | EnvelopeFault, now: number): void => {
    const { client } = inbound
    if ('fault' in envelope) {
      if (envelope.limit !== undefined) metrics.limit(envelope.limit)
      return refuse(inbound, envelope.requestId, new CodedError(envelope.fault, { ...envelope.details }))
    }
    try {
      if (envelope.type === 'system' || envelope.type === 'command_response')
        throw new CodedError('forbidden_type', { path: '/type' })
      if (envelope.from !== client.id) throw new CodedError('sender_mismatch', { path: '/from', expected: client.id })
      if (isStopped) throw new CodedError('shutting_down')
      checkRate(inbound, now)
      dispatch(inbound, envelope, now)
    } catch (problem) {
      refuse(inbound, envelope.id, faultOf(problem, logger, client), envelope)
    }
  }

  const dispatch = (inbound: InboundState, envelope: ParsedEnvelope, now: number): void => {
    if (envelope.type === 'command') return command(inbound, envelope, now)
    if (envelope.type === 'telemetry') return deps.relayTelemetry(inbound.client, envelope)
    if (++count % SAMPLE !== 0) return publish(inbound, envelope, now)
    const started = performance.now()
    publish(inbound, envelope, now)
    metrics.routed((performance.now() - started) / 1000)
  }

  const publish = (inbound: InboundState, envelope: ParsedEnvelope, now: number): void => {
    inbound.onSettled ??= () => {
      open--
      if (--inbound.unsettled === 0) inbound.unsettledBytes = 0
      goOn(inbound)
    }
    const { client } = inbound
    // A caller by HTTP cannot be made to wait.
    if (client.caller !== undefined && delivery.isFull())
      throw new CodedError('rate_limited', { limit: 'fanout_bytes' }, RETRY_AFTER_MS)
    const recalled = deps.recall?.(client, envelope)
    if (recalled !== undefined) void publishLater(inbound, envelope, recalled)
    else {
      const isSettled = deps.publish(client, envelope, now, inbound.onSettled)
      if (delivery.isFull()) holdForFanOut(inbound)
      if (isSettled) return
    }
    open++
    inbound.unsettled++
    inbound.unsettledBytes += bytesOf(envelope)
    if (inbound.unsettledBytes > limits.sendBufferSoftLimit || isCongested()) holdBack(inbound)
  }

  const isCongested = () => deps.isCongested() || recallingBytes > limits.redisQueueBytes

  /** What the message goes to is not here, and is asked for first. */
  const publishLater = async (
    inbound: InboundState,
    envelope: ParsedEnvelope,
    recalled: Promise<void>,
  ): Promise<void> => {
    const bytes = bytesOf(envelope)
    recallingBytes += bytes
    // Others may wait for the same place: each has its turn before frames behind them are taken.
    const settled = () => queueMicrotask(inbound.onSettled!)
    try {
      await recalled
      if (deps.publish(inbound.client, envelope, clock.monotonic(), inbound.onSettled!)) settled()
    } catch (problem) {
      refuse(inbound, envelope.id, faultOf(problem, logger, inbound.client), envelope)
      settled()
    } finally {
      recallingBytes -= bytes
    }
  }

  /** It is read again when its own messages are settled. */
  const holdBack = (inbound: InboundState): void => {
    if (!inbound.isHeldBack) metrics.publishersPaused++
    inbound.isHeldBack = true
    inbound.client.transport.pause()
  }

  const holdForFanOut = (inbound: InboundState): void => {
    inbound.isHeldForFanOut = true
    held.add(inbound)
    holdBack(inbound)
  }

  const command = (inbound: InboundState, envelope: ParsedEnvelope, now: number): void => {
    // A command waits until the client's own publishes are settled: it finds what was said before it.
    if (inbound.unsettled > 0 && (envelope.payload ?? objectIn(envelope.payloadText, nameOnly))?.name !== 'ping') {
      inbound.isBusy = true
      inbound.waiting = envelope
      return
    }
    const later = deps.run(inbound.client, envelope, now, inbound)
    if (later === undefined) return deps.catchUp.drained(inbound.client)
    hold(inbound, later)
  }

  const hold = (inbound: InboundState, until: Promise<void>): void => {
    open++
    inbound.isBusy = true
    const ended = () => {
      open--
      inbound.isBusy = false
      deps.catchUp.drained(inbound.client)
      goOn(inbound)
    }
    until.then(ended, (problem) => {
      faultOf(problem, logger, inbound.client)
      delivery.close(inbound.client, 'internal')
      ended()
    })
  }

  /** Goes on with what waited. */
  const goOn = (inbound: InboundState): void => {
    if (inbound.client.isClosing) return tellHandled(inbound)
    if (inbound.waiting !== undefined) {
      if (inbound.unsettled > 0) return
      const envelope = inbound.waiting
      inbound.waiting = undefined
      inbound.isBusy = false
      command(inbound, envelope, clock.monotonic())
    }
    takeSoon(inbound)
    readOn(inbound)
    tellHandled(inbound)
  }

  /** True while something that came before waits. */
  const hasMore = ({ queue, waiting, isInLine, client }: InboundState): boolean =>
    !client.isClosing && (queue.length > 0 || waiting !== undefined || isInLine)

  const tellHandled = (inbound: InboundState): void => {
    const { onHandled } = inbound
    if (onHandled === undefined || hasMore(inbound)) return
    inbound.onHandled = undefined
    onHandled()
  }

  /** Takes what is queued, in the line. */
  const takeSoon = (inbound: InboundState): void => {
    if (inbound.isInLine || !mayTake(inbound)) return
    inbound.isInLine = true
    open++
    const frames = () => takeQueued(inbound)
    // That of a call waits with other calls.
    void (inbound.client.caller === undefined ? deps.turns.takeSent(frames) : deps.turns.run(frames))
  }

  const mayTake = (inbound: InboundState): boolean =>
    !inbound.isBusy && inbound.queue.length > 0 && !inbound.client.isClosing && !isFull(inbound)

  function* takeQueued(inbound: InboundState): Pieces<void> {
    try {
      while (mayTake(inbound)) {
        const frame = inbound.queue.shift()!
        inbound.queuedBytes -= frame.length + QUEUED_BYTES
        if (isLong(frame)) yield* takeLong(inbound, frame)
        else take(inbound, frame, clock.monotonic())
        yield
      }
      readOn(inbound)
    } catch (problem) {
      faultOf(problem, logger, inbound.client)
      delivery.close(inbound.client, 'internal')
    } finally {
      inbound.isInLine = false
      open--
      tellHandled(inbound)
    }
  }

  /** The socket is read again when little is queued, and none of its messages waits for a log that does not keep up. */
  const readOn = (inbound: InboundState): void => {
    if (inbound.queuedBytes > limits.sendBufferSoftLimit || isFull(inbound)) return
    if (inbound.unsettled > 0 && isCongested()) return
    inbound.isHeldBack = false
    inbound.client.transport.resume()
  }

  /**
   * True where too much waits for a client already, answers to it or messages on their way. Then its frames wait too, those that were read before the
   * pause as well: else a client that requests much at once would be closed before it can read the first reply.
   */
  const isFull = ({ client: { transport }, unsettledBytes, isHeldForFanOut }: InboundState): boolean =>
    isHeldForFanOut ||
    (transport.isPaused && Math.max(transport.bufferedBytes(), unsettledBytes) > limits.sendBufferSoftLimit)

  return {
    text(inbound, frame) {
      const { client } = inbound
      if (client.isClosing) return
      metrics.received++
      metrics.bytesIn += frame.length
      const now = clock.monotonic()
      client.lastHeard = now
      const mayTakeNow = !inbound.isBusy && inbound.queue.length === 0 && !isFull(inbound) && frame.length <= LONG
      if (mayTakeNow && deps.turns.hasTime(now)) return take(inbound, frame, now)
      inbound.queue.push(frame)
      inbound.queuedBytes += frame.length + QUEUED_BYTES
      if (inbound.queuedBytes > limits.sendBufferSoftLimit) client.transport.pause()
      takeSoon(inbound)
    },
    binary(inbound) {
      if (inbound.client.isClosing) return
      metrics.received++
      inbound.client.lastHeard = clock.monotonic()
      refuse(inbound, null, new CodedError('binary_frame'))
    },
    drained(inbound) {
      goOn(inbound)
      deps.catchUp.drained(inbound.client)
    },
    ended(inbound, gone) {
      if (!hasMore(inbound)) return gone()
      inbound.onHandled = gone
      goOn(inbound)
    },
    hold,
    relieved() {
      for (const inbound of held) {
        held.delete(inbound)
        inbound.isHeldForFanOut = false
        goOn(inbound)
      }
    },
    stop() {
      isStopped = true
    },
    isSettled: () => open === 0,
  }
}
