/**
 * Publishes under way, and the connections that are not read for them: where a log does not keep up with what they
 * publish, and where too much of it has not gone out yet.
 */
import { CodedError, type ParsedEnvelope } from '@arqonbus/protocol'
import type { Delivery } from '../delivery/deliver.ts'
import type { Clock } from '../kit/clock.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Publish } from '../publish/draft.ts'
import type { LoadTarget } from '../publish/load-target.ts'
import type { Client } from '../state/model.ts'
import type { InboundState } from './inbound.ts'

/** What publishing from connections needs. */
export type PublishesInFlightDeps = {
  readonly limits: {
    /** Bytes of publishes of one client in progress before its socket is no longer read. */
    readonly sendBufferSoftLimit: number
    /** Bytes of messages that wait for their rooms and channels before the sockets of publishers are no longer read. */
    readonly redisQueueBytes: number
  }
  readonly clock: Pick<Clock, 'monotonic'>
  readonly metrics: Pick<Metrics, 'publishersPaused' | 'routed'>
  readonly delivery: Pick<Delivery, 'isFull' | 'whenRelieved'>
  readonly publish: Publish
  /** Loads what a message goes to, where it is not here and may be stored. */
  readonly loadTarget: LoadTarget | undefined
  /**
   * True while so much is on its way to the log, from all clients together, that each publisher waits until its own
   * messages are settled.
   */
  readonly isCongested: () => boolean
}

/** What happens around a publish. */
type PublishesInFlightHooks = {
  /** A publish is settled, or the fan-out has room again: the frames behind it go on. */
  goOn(inbound: InboundState): void
  /** A publish was refused after its frame was handled. */
  refuse(inbound: InboundState, envelope: ParsedEnvelope, problem: unknown): void
}

/** One message in this many is timed. */
const SAMPLE = 16

/** When to try again where too much waits to go out. */
const RETRY_AFTER_MS = 100

const bytesOf = ({ prefix, suffix }: ParsedEnvelope): number => prefix.length + suffix.length

/** The publishes of all clients. */
export class PublishesInFlight {
  readonly #deps: PublishesInFlightDeps
  readonly #hooks: PublishesInFlightHooks
  #count = 0
  #open = 0
  /** Bytes of messages whose room or channel is being loaded. */
  #loadingBytes = 0

  constructor(deps: PublishesInFlightDeps, hooks: PublishesInFlightHooks) {
    this.#deps = deps
    this.#hooks = hooks
  }

  /** Publishes whose log has not replied. */
  get open(): number {
    return this.#open
  }

  /** Publishes a message, and times one in 16; throws what it is refused with. */
  take(inbound: InboundState, envelope: ParsedEnvelope, now: number): void {
    if (++this.#count % SAMPLE !== 0) return this.#publish(inbound, envelope, now)
    const started = performance.now()
    this.#publish(inbound, envelope, now)
    this.#deps.metrics.routed((performance.now() - started) / 1000)
  }

  /**
   * True where too much waits for a client already, replies to it or messages on their way. Then its frames wait too,
   * those that were read before the pause as well: else a client that requests much at once would be closed before it
   * can read the first reply.
   */
  mustWait({ sender: { transport }, unsettledBytes, isHeldForFanOut }: InboundState): boolean {
    if (isHeldForFanOut) return true
    if (!transport.isPaused) return false
    return Math.max(transport.bufferedBytes(), unsettledBytes) > this.#deps.limits.sendBufferSoftLimit
  }

  /** Reads a connection again, unless its messages wait for a log that does not keep up. */
  readOn(inbound: InboundState): void {
    if (inbound.unsettled > 0 && this.#isCongested()) return
    inbound.isHeldBack = false
    inbound.sender.transport.resume()
  }

  #publish(inbound: InboundState, envelope: ParsedEnvelope, now: number): void {
    const { delivery, loadTarget, publish, limits } = this.#deps
    inbound.onSettled ??= () => this.#settled(inbound)
    const { sender } = inbound
    this.#refuseFull(sender)
    const loading = loadTarget?.(sender, envelope)
    if (loading !== undefined) void this.#publishLater(inbound, envelope, loading)
    else {
      const isSettled = publish(sender, envelope, now, inbound.onSettled)
      if (delivery.isFull()) this.#holdForFanOut(inbound)
      if (isSettled) return
    }
    this.#open++
    inbound.unsettled++
    inbound.unsettledBytes += bytesOf(envelope)
    if (inbound.unsettledBytes > limits.sendBufferSoftLimit || this.#isCongested()) this.#holdBack(inbound)
  }

  /** A caller by HTTP cannot be made to wait. */
  #refuseFull(client: Client): void {
    if (client.caller !== undefined && this.#deps.delivery.isFull())
      throw new CodedError('rate_limited', { limit: 'fanout_bytes' }, RETRY_AFTER_MS)
  }

  #settled(inbound: InboundState): void {
    this.#open--
    if (--inbound.unsettled === 0) inbound.unsettledBytes = 0
    this.#hooks.goOn(inbound)
  }

  /** Publishes when the room or channel that the message goes to is loaded. */
  async #publishLater(inbound: InboundState, envelope: ParsedEnvelope, loading: Promise<void>): Promise<void> {
    const bytes = bytesOf(envelope)
    this.#loadingBytes += bytes
    // Other messages may wait for the same channel: each has its turn before frames behind them are handled.
    const settled = () => queueMicrotask(inbound.onSettled!)
    try {
      await loading
      const now = this.#deps.clock.monotonic()
      if (this.#deps.publish(inbound.sender, envelope, now, inbound.onSettled!)) settled()
    } catch (problem) {
      this.#hooks.refuse(inbound, envelope, problem)
      settled()
    } finally {
      this.#loadingBytes -= bytes
    }
  }

  #isCongested(): boolean {
    return this.#deps.isCongested() || this.#loadingBytes > this.#deps.limits.redisQueueBytes
  }

  /** The connection is read again when its own messages are settled. */
  #holdBack(inbound: InboundState): void {
    if (!inbound.isHeldBack) this.#deps.metrics.publishersPaused++
    inbound.isHeldBack = true
    inbound.sender.transport.pause()
  }

  #holdForFanOut(inbound: InboundState): void {
    this.#holdBack(inbound)
    if (inbound.isHeldForFanOut) return
    inbound.isHeldForFanOut = true
    this.#deps.delivery.whenRelieved(() => {
      inbound.isHeldForFanOut = false
      this.#hooks.goOn(inbound)
    })
  }
}
