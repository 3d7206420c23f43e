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
  type ProtocolVersions,
  type ReadEnvelope,
  type RouteMemory,
  readEnvelope,
  readInPieces,
} from '@arqonbus/protocol'
import type { CatchUp } from '../delivery/catch-up.ts'
import type { Delivery } from '../delivery/deliver.ts'
import type { Answers } from '../delivery/replies.ts'
import type { Clock } from '../kit/clock.ts'
import type { Pieces, Turns } from '../kit/fair-queue.ts'
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
export type Intake = RouteMemory &
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
    waiting: ReadEnvelope | undefined
    /** The times of the last violations. */
    readonly violations: number[]
    commandRates: Map<string, Bucket> | undefined
  }

/** The intake of a new connection: small, for most connections only listen. */
export const createIntake = (client: Client): Intake => ({
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
  readonly slowBytes: number
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
  readonly answers: Answers
  readonly delivery: Delivery
  readonly catchUp: CatchUp
  readonly publish: Publish
  /** Asks for what a message goes to, where it is not here and may be stored. */
  readonly recall: RecallOf | undefined
  readonly run: Run
  readonly turns: Turns
  /** True while so much is on its way to the log, from everybody together, that whoever publishes has to wait for its own. */
  readonly isCongested: () => boolean
  readonly relayTelemetry: (client: Client, envelope: ReadEnvelope) => void
  /** Hears of frames that are refused. */
  readonly refused: (client: Client, code: ErrorCode, envelope: Partial<ReadEnvelope>) => void
}

/** Receiving. */
export type Receive = {
  /** A text frame. */
  text(intake: Intake, frame: string): void
  /** A binary frame: refused. */
  binary(intake: Intake): void
  /** There is room in the send buffer again. */
  drained(intake: Intake): void
  /** Its connection has ended: what it sent before that is handled, and then `gone` is called. */
  ended(intake: Intake, gone: () => void): void
  /** Frames wait until the promise ends. */
  hold(intake: Intake, until: Promise<void>): void
  /** What was published has gone out: who waited for that goes on. */
  relieved(): void
  /** From now on frames are refused: `shutting_down`. */
  stop(): void
  /** False while a log or a command has not answered yet. */
  isSettled(): boolean
}

const bytesOf = ({ head, body }: ReadEnvelope): number => head.length + body.length

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
  const held = new Set<Intake>()

  const refuse = (
    intake: Intake,
    requestId: string | null,
    error: CodedError,
    envelope: Partial<ReadEnvelope> = {},
  ) => {
    const { client } = intake
    const { room, channel } = envelope
    answers.refuse(client, requestId, undefined, error)
    deps.refused(client, error.code, envelope)
    logger.info({ event: 'frame_refused', client_id: client.id, room, channel, code: error.code })
    if (errorCodes[error.code].violation !== true) return
    metrics.violations++
    const violations = violate(intake.violations, clock.monotonic(), limits.violationWindowMs)
    if (violations >= limits.maxViolations) delivery.close(client, 'repeated_violations')
  }

  const isTooLarge = (frame: string) =>
    frame.length * 3 > limits.maxMessageBytes && Buffer.byteLength(frame) > limits.maxMessageBytes

  const checkRate = (intake: Intake, now: number) => {
    const rate = limits.rateLimit
    if (rate === null) return
    const outcome = passes(intake, rate, now)
    if (outcome === 'passes') return
    metrics.limit('message_rate')
    if (outcome === 'flooding' && isSustained(intake, rate, { now, thaw: clock.thaw() }))
      delivery.close(intake.client, 'slow_consumer', 'sustained flooding')
    throw new CodedError('rate_limited', { messages_per_second: rate.perSecond }, waitMs(intake.rate!, rate))
  }

  /** The way of one frame that is not long. */
  const take = (intake: Intake, frame: string, now: number): void => {
    const { client } = intake
    client.lastActivity = now
    client.frames++
    if (isTooLarge(frame)) return refuseTooLarge(intake)
    handle(intake, readEnvelope(frame, readOptions, intake), now)
  }

  /** The way of a long one: others have their turn while it is read. */
  function* takeLong(intake: Intake, frame: string): Pieces<void> {
    const { client } = intake
    client.lastActivity = clock.monotonic()
    client.frames++
    if (isTooLarge(frame)) return refuseTooLarge(intake)
    intake.isBusy = true
    const envelope = yield* readInPieces(frame, readOptions)
    yield
    intake.isBusy = false
    if (!client.isClosing) handle(intake, envelope, clock.monotonic())
  }

  const refuseTooLarge = (intake: Intake) =>
    refuse(intake, null, new CodedError('message_too_large', { limit_bytes: limits.maxMessageBytes }))

  const handle = (intake: Intake, envelope: ReadEnvelope | EnvelopeFault, now: number): void => {
    const { client } = intake
    if ('fault' in envelope) {
      if (envelope.limit !== undefined) metrics.limit(envelope.limit)
      return refuse(intake, envelope.requestId, new CodedError(envelope.fault, { ...envelope.details }))
    }
    try {
      if (envelope.type === 'system' || envelope.type === 'command_response')
        throw new CodedError('forbidden_type', { path: '/type' })
      if (envelope.from !== client.id) throw new CodedError('sender_mismatch', { path: '/from', expected: client.id })
      if (isStopped) throw new CodedError('shutting_down')
      checkRate(intake, now)
      dispatch(intake, envelope, now)
    } catch (problem) {
      refuse(intake, envelope.id, faultOf(problem, logger, client), envelope)
    }
  }

  const dispatch = (intake: Intake, envelope: ReadEnvelope, now: number): void => {
    if (envelope.type === 'command') return command(intake, envelope, now)
    if (envelope.type === 'telemetry') return deps.relayTelemetry(intake.client, envelope)
    if (++count % SAMPLE !== 0) return publish(intake, envelope, now)
    const started = performance.now()
    publish(intake, envelope, now)
    metrics.routed((performance.now() - started) / 1000)
  }

  const publish = (intake: Intake, envelope: ReadEnvelope, now: number): void => {
    intake.onSettled ??= () => {
      open--
      if (--intake.unsettled === 0) intake.unsettledBytes = 0
      goOn(intake)
    }
    const { client } = intake
    // A caller by HTTP cannot be made to wait.
    if (client.caller !== undefined && delivery.isFull())
      throw new CodedError('rate_limited', { limit: 'fanout_bytes' }, RETRY_AFTER_MS)
    const recalled = deps.recall?.(client, envelope)
    if (recalled !== undefined) void publishLater(intake, envelope, recalled)
    else {
      const isSettled = deps.publish(client, envelope, now, intake.onSettled)
      if (delivery.isFull()) holdForFanOut(intake)
      if (isSettled) return
    }
    open++
    intake.unsettled++
    intake.unsettledBytes += bytesOf(envelope)
    if (intake.unsettledBytes > limits.slowBytes || isCongested()) holdBack(intake)
  }

  const isCongested = () => deps.isCongested() || recallingBytes > limits.redisQueueBytes

  /** What the message goes to is not here, and is asked for first. */
  const publishLater = async (intake: Intake, envelope: ReadEnvelope, recalled: Promise<void>): Promise<void> => {
    const bytes = bytesOf(envelope)
    recallingBytes += bytes
    // Others may wait for the same place: each has its turn before frames behind them are taken.
    const settled = () => queueMicrotask(intake.onSettled!)
    try {
      await recalled
      if (deps.publish(intake.client, envelope, clock.monotonic(), intake.onSettled!)) settled()
    } catch (problem) {
      refuse(intake, envelope.id, faultOf(problem, logger, intake.client), envelope)
      settled()
    } finally {
      recallingBytes -= bytes
    }
  }

  /** It is read again when its own messages are settled. */
  const holdBack = (intake: Intake): void => {
    if (!intake.isHeldBack) metrics.publishersPaused++
    intake.isHeldBack = true
    intake.client.transport.pause()
  }

  const holdForFanOut = (intake: Intake): void => {
    intake.isHeldForFanOut = true
    held.add(intake)
    holdBack(intake)
  }

  const command = (intake: Intake, envelope: ReadEnvelope, now: number): void => {
    // A command waits until the client's own publishes are settled: it finds what was said before it.
    if (intake.unsettled > 0 && (envelope.payload ?? objectIn(envelope.payloadText, nameOnly))?.name !== 'ping') {
      intake.isBusy = true
      intake.waiting = envelope
      return
    }
    const later = deps.run(intake.client, envelope, now, intake)
    if (later === undefined) return deps.catchUp.drained(intake.client)
    hold(intake, later)
  }

  const hold = (intake: Intake, until: Promise<void>): void => {
    open++
    intake.isBusy = true
    const ended = () => {
      open--
      intake.isBusy = false
      deps.catchUp.drained(intake.client)
      goOn(intake)
    }
    until.then(ended, (problem) => {
      faultOf(problem, logger, intake.client)
      delivery.close(intake.client, 'internal')
      ended()
    })
  }

  /** Goes on with what waited. */
  const goOn = (intake: Intake): void => {
    if (intake.client.isClosing) return tellHandled(intake)
    if (intake.waiting !== undefined) {
      if (intake.unsettled > 0) return
      const envelope = intake.waiting
      intake.waiting = undefined
      intake.isBusy = false
      command(intake, envelope, clock.monotonic())
    }
    takeSoon(intake)
    readOn(intake)
    tellHandled(intake)
  }

  /** True while something that came before waits. */
  const hasMore = ({ queue, waiting, isInLine, client }: Intake): boolean =>
    !client.isClosing && (queue.length > 0 || waiting !== undefined || isInLine)

  const tellHandled = (intake: Intake): void => {
    const { onHandled } = intake
    if (onHandled === undefined || hasMore(intake)) return
    intake.onHandled = undefined
    onHandled()
  }

  /** Takes what is queued, in the line. */
  const takeSoon = (intake: Intake): void => {
    if (intake.isInLine || !mayTake(intake)) return
    intake.isInLine = true
    open++
    const frames = () => takeQueued(intake)
    // That of a call waits with other calls.
    void (intake.client.caller === undefined ? deps.turns.takeSent(frames) : deps.turns.run(frames))
  }

  const mayTake = (intake: Intake): boolean =>
    !intake.isBusy && intake.queue.length > 0 && !intake.client.isClosing && !isFull(intake)

  function* takeQueued(intake: Intake): Pieces<void> {
    try {
      while (mayTake(intake)) {
        const frame = intake.queue.shift()!
        intake.queuedBytes -= frame.length + QUEUED_BYTES
        if (isLong(frame)) yield* takeLong(intake, frame)
        else take(intake, frame, clock.monotonic())
        yield
      }
      readOn(intake)
    } catch (problem) {
      faultOf(problem, logger, intake.client)
      delivery.close(intake.client, 'internal')
    } finally {
      intake.isInLine = false
      open--
      tellHandled(intake)
    }
  }

  /** The socket is read again when little is queued, and none of its messages waits for a log that does not keep up. */
  const readOn = (intake: Intake): void => {
    if (intake.queuedBytes > limits.slowBytes || isFull(intake)) return
    if (intake.unsettled > 0 && isCongested()) return
    intake.isHeldBack = false
    intake.client.transport.resume()
  }

  /**
   * True where too much waits for a client already, answers to it or messages on their way. Then its frames wait too, those that were read before the
   * pause as well: else whoever asks for much at once is cut before it can read the first answer.
   */
  const isFull = ({ client: { transport }, unsettledBytes, isHeldForFanOut }: Intake): boolean =>
    isHeldForFanOut || (transport.isPaused && Math.max(transport.bufferedBytes(), unsettledBytes) > limits.slowBytes)

  return {
    text(intake, frame) {
      const { client } = intake
      if (client.isClosing) return
      metrics.received++
      metrics.bytesIn += frame.length
      const now = clock.monotonic()
      client.lastHeard = now
      const mayTakeNow = !intake.isBusy && intake.queue.length === 0 && !isFull(intake) && frame.length <= LONG
      if (mayTakeNow && deps.turns.hasTime(now)) return take(intake, frame, now)
      intake.queue.push(frame)
      intake.queuedBytes += frame.length + QUEUED_BYTES
      if (intake.queuedBytes > limits.slowBytes) client.transport.pause()
      takeSoon(intake)
    },
    binary(intake) {
      if (intake.client.isClosing) return
      metrics.received++
      intake.client.lastHeard = clock.monotonic()
      refuse(intake, null, new CodedError('binary_frame'))
    },
    drained(intake) {
      goOn(intake)
      deps.catchUp.drained(intake.client)
    },
    ended(intake, gone) {
      if (!hasMore(intake)) return gone()
      intake.onHandled = gone
      goOn(intake)
    },
    hold,
    relieved() {
      for (const intake of held) {
        held.delete(intake)
        intake.isHeldForFanOut = false
        goOn(intake)
      }
    },
    stop() {
      isStopped = true
    },
    isSettled: () => open === 0,
  }
}
