/**
 * Delivery to the subscribers of the telemetry server, encoded once (docs/protocol.md#telemetry).
 *
 * Subscribers are in lanes of a dozen. What is published in a tick goes out to one lane after the other, with a turn of
 * the loop in between, so that many subscribers do not hold up the bus. The bus waits for none of them: one with too
 * much in its send buffer gets nothing more until it has read half of that; events that it misses are counted, and a
 * notice tells it their number. One that does not get that far in time is closed with 4429.
 */
import { type CloseName, closeCodes, type TelemetryMissed } from '@arqonbus/protocol'
import type { Frames } from '../delivery/frames.ts'
import { createLiveness, type Liveness } from '../delivery/liveness.ts'
import type { SendBuffers } from '../delivery/send-buffers.ts'
import type { Clock } from '../kit/clock.ts'
import { onceATurn } from '../kit/once-a-turn.ts'
import { after } from '../kit/timer.ts'
import type { BufferLimits } from '../limits/send-buffer-watch.ts'
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { PublishToTopic } from '../state/transport.ts'
import type { TelemetrySubscriber, TelemetrySubscribers } from './subscribers.ts'

/** What the broadcast needs. */
type TelemetryBroadcastDeps = {
  readonly subscribers: TelemetrySubscribers
  readonly publish: PublishToTopic
  readonly frames: Pick<Frames, 'notice'>
  readonly clock: Pick<Clock, 'monotonic' | 'thaw'>
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'telemetryDropped' | 'slowClosed' | 'bytesOut'>
  /** Bytes that may wait for one subscriber, as far as the bound on all send buffers allows. */
  readonly bufferBytes: number
  readonly buffers: Pick<SendBuffers, 'limit' | 'source' | 'unseenBytes'>
  readonly pingIntervalMs: number
  readonly pingTimeoutMs: number
}

/** A slow subscriber has so long to read what waits for it. */
const LAG_TIMEOUT_MS = 5000

/** A close frame that waits behind the backlog of a dead reader would never be sent. */
const TERMINATE_AFTER_MS = 5000

/** A text on its way to the subscribers of these topics. */
type Published = {
  readonly topics: readonly string[]
  readonly text: string
  readonly except: TelemetrySubscriber | undefined
}

/** The runtime's topic of the subscribers in a lane. */
const nativeTopic = (topic: string, lane: number): string => `${lane} ${topic}`

/** Delivery to the subscribers of the telemetry server. */
export class TelemetryBroadcast {
  readonly #deps: TelemetryBroadcastDeps
  readonly #liveness: Liveness
  readonly #slow = new Set<TelemetrySubscriber>()
  /** What goes out lane by lane now, and what comes after it. */
  #batch: readonly Published[] = []
  #next: Published[] = []
  #lane = 0
  /** How many batches there have been. */
  #rounds = 0
  readonly #askTurn = onceATurn(() => this.#goRound(false))
  readonly #measured: (bytes: number) => void
  /** What the port watches for: a quarter of the bound may pass between two looks, so that nothing gets far past it. */
  readonly bufferLimits: BufferLimits

  constructor(deps: TelemetryBroadcastDeps) {
    this.#deps = deps
    this.#liveness = createLiveness(deps)
    this.#measured = deps.buffers.source()
    this.bufferLimits = {
      softLimit: () => this.#bufferLimit(),
      unseenBytes: deps.bufferBytes / 4,
      unseenBytesOfAll: deps.buffers.unseenBytes,
    }
  }

  /**
   * Sends a text to all subscribers of one of the topics, but `except`, in the next turns; returns how many these are.
   */
  publish(topics: readonly string[], text: string, except?: TelemetrySubscriber): number {
    let count = 0
    for (const topic of topics) count += this.#deps.subscribers.hearing(topic)
    if (count === 0) return 0
    this.#next.push({ topics, text, except })
    this.#askTurn()
    return count
  }

  /** The round of now: what has been published by now is sent when `isSent` is true of it. */
  get round(): number {
    return this.#rounds
  }

  /** True when everything that was published until that round has been sent to all lanes. */
  isSent(round: number): boolean {
    // What is published in a round is the batch of the next one, which has ended when the one after it begins.
    return this.#rounds >= round + 2 || (this.#batch.length === 0 && this.#next.length === 0)
  }

  /** Sends at once everything that waits for a turn. */
  flush(): void {
    this.#goRound(true)
  }

  /** Adds a subscriber to its topics. */
  add(subscriber: TelemetrySubscriber): void {
    this.#deps.subscribers.add(subscriber)
    subscribe(subscriber)
  }

  /** Sends a text to one subscriber, which is no longer read from while its send buffer is full. */
  send(subscriber: TelemetrySubscriber, text: string): void {
    if (subscriber.isClosing) return
    subscriber.transport.send(text)
    if (subscriber.transport.bufferedBytes() > this.#bufferLimit()) subscriber.transport.pause()
  }

  /** So many bytes wait in all send buffers; in those of these subscribers too many: they get nothing more for now. */
  buffered(bytes: number, full: readonly TelemetrySubscriber[]): void {
    this.#measured(bytes)
    for (const subscriber of full) {
      const { topics, lane, transport, lag, isClosing } = subscriber
      if (lag !== undefined || isClosing) continue
      subscriber.lag = { since: this.#deps.clock.monotonic(), missed: 0 }
      this.#slow.add(subscriber)
      for (const topic of topics) transport.unsubscribe(nativeTopic(topic, lane))
    }
  }

  /** There is room in its send buffer again. Where half of its bound is free, it gets events again. */
  drained(subscriber: TelemetrySubscriber): void {
    const { lag, transport } = subscriber
    if (transport.bufferedBytes() > this.#bufferLimit() / 2) return
    transport.resume()
    if (lag === undefined || subscriber.isClosing) return
    subscriber.lag = undefined
    this.#slow.delete(subscriber)
    subscribe(subscriber)
    if (lag.missed > 0)
      transport.send(this.#deps.frames.notice({ event: 'missed', count: lag.missed } satisfies TelemetryMissed))
  }

  /** How often `tick` is called, in milliseconds. */
  get everyMs(): number {
    return this.#liveness.everyMs
  }

  /** Pings, and ends the connections that do not answer, or do not keep up. */
  tick(): void {
    this.#liveness.beginRound()
    for (const subscriber of this.#deps.subscribers.all()) {
      if (subscriber.lag !== undefined) this.drained(subscriber)
      this.#closeWhereLost(subscriber)
    }
  }

  /** Ends a connection behind what waits for it. */
  close(subscriber: TelemetrySubscriber, name: CloseName, reason?: string): void {
    if (subscriber.isClosing) return
    subscriber.isClosing = true
    this.#slow.delete(subscriber)
    const { code, reason: usual } = closeCodes[name]
    subscriber.transport.close(code, reason ?? usual)
    after(TERMINATE_AFTER_MS, () => subscriber.transport.terminate())
  }

  /** Its connection has ended. */
  gone(subscriber: TelemetrySubscriber): void {
    subscriber.isClosing = true
    this.#slow.delete(subscriber)
    this.#deps.subscribers.remove(subscriber)
  }

  #bufferLimit(): number {
    return this.#deps.buffers.limit(this.#deps.bufferBytes)
  }

  /** Goes on with the lanes: one that had something to send, and the next in another turn, or all at once. */
  #goRound(isAtOnce: boolean): void {
    for (;;) {
      if (this.#lane >= this.#deps.subscribers.lanes) {
        this.#batch = this.#next
        this.#next = []
        this.#lane = 0
        this.#rounds++
        if (this.#batch.length === 0) return
      }
      let isSent = false
      for (const published of this.#batch) isSent = this.#sendTo(this.#lane, published) || isSent
      this.#lane++
      if (isSent && !isAtOnce) return this.#askTurn()
    }
  }

  /** Sends one text to its subscribers in one lane; false where it has none there. */
  #sendTo(lane: number, published: Published): boolean {
    const { subscribers, metrics, publish } = this.#deps
    const { topics, text, except } = published
    let isHeard = false
    for (const topic of topics) {
      const count = subscribers.hearing(topic, lane)
      if (count === 0) continue
      isHeard = true
      const isExcepted = except?.lane === lane && except.lag === undefined && except.topics.has(topic)
      const to = nativeTopic(topic, lane)
      metrics.bytesOut += (isExcepted ? count - 1 : count) * text.length
      if (isExcepted) except.transport.publishToOthers(to, text)
      else publish(to, text)
    }
    if (!isHeard) return false
    if (this.#slow.size > 0) this.#countMissed(published, lane)
    return true
  }

  #countMissed({ topics, except }: Published, lane: number): void {
    for (const subscriber of this.#slow) {
      if (subscriber.lane !== lane || subscriber === except) continue
      if (!topics.some((topic) => subscriber.topics.has(topic))) continue
      subscriber.lag!.missed++
      this.#deps.metrics.telemetryDropped('slow')
    }
  }

  #closeWhereLost(subscriber: TelemetrySubscriber): void {
    const { clock, metrics, logger } = this.#deps
    const { id: client_id, lag, lane, isClosing, address } = subscriber
    if (lag !== undefined && clock.monotonic() - lag.since > LAG_TIMEOUT_MS) {
      metrics.slowClosed++
      logger.warn({ event: 'slow_telemetry_subscriber', client_id, code: 4429, missed: lag.missed, address })
      this.close(subscriber, 'slow_consumer')
    } else if (!isClosing && !this.#liveness.look(subscriber, lane)) {
      logger.info({ event: 'heartbeat_lost', server: 'telemetry', client_id, code: 4408, address })
      this.close(subscriber, 'heartbeat_lost')
    }
  }
}

function subscribe({ topics, lane, transport }: TelemetrySubscriber): void {
  for (const topic of topics) transport.subscribe(nativeTopic(topic, lane))
}
