/**
 * Delivery to the listeners of the telemetry server, encoded once (protocol §8).
 *
 * The bus waits for none of them: what is given in a tick goes out lane by lane, with a turn of the loop in between. One whose buffer is over the bound is given nothing more until it has read what waits for it; what it misses is counted,
 * and told to it. One that does not get that far in time is closed with 4429.
 */
import { type CloseName, closeCodes, type TelemetryMissed } from '@arqonbus/protocol'
import type { Frames } from '../delivery/frames.ts'
import { createLiveness } from '../delivery/liveness.ts'
import type { SendBuffers } from '../delivery/send-buffers.ts'
import type { Clock } from '../kit/clock.ts'
import { after } from '../kit/timer.ts'
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { PublishToTopic } from '../state/transport.ts'
import type { TelemetrySubscriber, TelemetrySubscribers } from './subscribers.ts'

/** What it needs. */
export type TelemetryBroadcastDeps = {
  readonly listeners: TelemetrySubscribers
  readonly publish: PublishToTopic
  readonly frames: Pick<Frames, 'notice'>
  readonly clock: Pick<Clock, 'monotonic' | 'thaw'>
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'telemetryDropped' | 'slowClosed'>
  /** Bytes that may wait for one of them, where the bound on all send buffers lets them. */
  readonly bufferBytes: number
  readonly buffers: Pick<SendBuffers, 'limit'>
  readonly pingIntervalMs: number
  readonly pingTimeoutMs: number
}

/** Delivery to listeners. */
export type TelemetryBroadcast = {
  /** Gives a text to all who hear one of the topics, but `except`, soon; returns how many hear them. */
  give(topics: readonly string[], text: string, except?: TelemetrySubscriber): number
  /** Gives at once what is to be given soon. */
  flush(): void
  /** A listener begins to hear what its topics say. */
  listen(listener: TelemetrySubscriber): void
  /** Gives a text to one: it is no longer read from while its buffer is full. */
  toListener(listener: TelemetrySubscriber, text: string): void
  /** There is room in its buffer again. */
  drained(listener: TelemetrySubscriber): void
  /** Pings, and ends those that do not answer or do not keep up. */
  tick(): void
  /** How often that is called, in milliseconds. */
  readonly everyMs: number
  close(listener: TelemetrySubscriber, name: CloseName, reason?: string): void
  /** Its connection has ended. */
  gone(listener: TelemetrySubscriber): void
}

/** One that does not keep up has so long to read what waits for it. */
const LAG_TIMEOUT_MS = 5000

/** A close frame that waits behind the backlog of a dead reader would wait for ever. */
const TERMINATE_AFTER_MS = 5000

/** A text on its way to those who hear one of the topics. */
type Given = {
  readonly topics: readonly string[]
  readonly text: string
  readonly except: TelemetrySubscriber | undefined
}

/** The runtime's topic of those in a lane. */
const native = (topic: string, lane: number): string => `${lane} ${topic}`

/** Makes it. */
export function createTelemetryBroadcast(deps: TelemetryBroadcastDeps): TelemetryBroadcast {
  const { listeners, clock, metrics, logger } = deps
  const most = () => deps.buffers.limit(deps.bufferBytes)
  const lagging = new Set<TelemetrySubscriber>()
  /** What is given to lane after lane, and what comes after it. */
  let batch: readonly Given[] = []
  let waiting: Given[] = []
  let lane = 0
  let isTurnAsked = false
  let bytesUnseen = 0
  const liveness = createLiveness(deps)

  const lookForSlow = () => {
    bytesUnseen = 0
    const bufferBytes = most()
    for (const listener of listeners.all()) {
      if (listener.lag !== undefined || listener.isClosing) continue
      if (listener.transport.bufferedBytes() <= bufferBytes) continue
      listener.lag = { since: clock.monotonic(), missed: 0 }
      lagging.add(listener)
      for (const topic of listener.topics) listener.transport.unsubscribe(native(topic, listener.lane))
    }
  }
  const subscribe = ({ topics, lane, transport }: TelemetrySubscriber) => {
    for (const topic of topics) transport.subscribe(native(topic, lane))
  }
  const countMissed = ({ topics, except }: Given, lane: number) => {
    for (const listener of lagging) {
      if (listener.lane !== lane || listener === except) continue
      if (!topics.some((topic) => listener.topics.has(topic))) continue
      listener.lag!.missed++
      metrics.telemetryDropped('slow')
    }
  }
  /** Gives one text to those in one lane who hear it; false where nobody there does. */
  const giveTo = (lane: number, given: Given): boolean => {
    const { topics, text, except } = given
    let isHeard = false
    let inTime = true
    for (const topic of topics) {
      if (listeners.hearing(topic, lane) === 0) continue
      isHeard = true
      const isOthersOnly = except?.lane === lane && except.lag === undefined && except.topics.has(topic)
      const to = native(topic, lane)
      inTime = (isOthersOnly ? except.transport.publishToOthers(to, text) : deps.publish(to, text)) && inTime
    }
    if (!isHeard) return false
    if (lagging.size > 0) countMissed(given, lane)
    // A quarter of the bound may pass between two looks, so that nobody gets much past it unseen.
    bytesUnseen += inTime ? 0 : text.length
    if (bytesUnseen > deps.bufferBytes / 4) lookForSlow()
    return true
  }
  /** Goes on with the lanes: one that has something to give, and the next in another turn, or all at once. */
  const goRound = (isAtOnce: boolean): void => {
    for (;;) {
      if (lane >= listeners.lanes) {
        batch = waiting
        waiting = []
        lane = 0
        if (batch.length === 0) return
      }
      let isGiven = false
      for (const given of batch) isGiven = giveTo(lane, given) || isGiven
      lane++
      if (isGiven && !isAtOnce) return askTurn()
    }
  }
  const askTurn = () => {
    if (isTurnAsked) return
    isTurnAsked = true
    setImmediate(() => {
      isTurnAsked = false
      goRound(false)
    })
  }
  /** Back among those that keep up, once half of its bound is free. */
  const goOn = (listener: TelemetrySubscriber) => {
    const { lag, transport } = listener
    if (transport.bufferedBytes() > most() / 2) return
    transport.resume()
    if (lag === undefined || listener.isClosing) return
    listener.lag = undefined
    lagging.delete(listener)
    subscribe(listener)
    if (lag.missed > 0)
      transport.send(deps.frames.notice({ event: 'missed', count: lag.missed } satisfies TelemetryMissed))
  }
  const close: TelemetryBroadcast['close'] = (listener, name, reason) => {
    if (listener.isClosing) return
    listener.isClosing = true
    lagging.delete(listener)
    const { code, reason: usual } = closeCodes[name]
    listener.transport.close(code, reason ?? usual)
    after(TERMINATE_AFTER_MS, () => listener.transport.terminate())
  }

  return {
    give(topics, text, except) {
      let count = 0
      for (const topic of topics) count += listeners.hearing(topic)
      if (count === 0) return 0
      waiting.push({ topics, text, except })
      askTurn()
      return count
    },
    flush: () => goRound(true),
    listen(listener) {
      listeners.add(listener)
      subscribe(listener)
    },
    toListener(listener, text) {
      if (listener.isClosing) return
      listener.transport.send(text)
      if (listener.transport.bufferedBytes() > most()) listener.transport.pause()
    },
    drained: goOn,
    tick() {
      const now = clock.monotonic()
      liveness.beginRound()
      lookForSlow()
      for (const listener of listeners.all()) {
        const { id, lag } = listener
        if (lag !== undefined) goOn(listener)
        if (listener.lag !== undefined && now - listener.lag.since > LAG_TIMEOUT_MS) {
          metrics.slowClosed++
          logger.warn({ event: 'slow_listener', client_id: id, code: 4429, missed: listener.lag.missed })
          close(listener, 'slow_consumer')
        } else if (!listener.isClosing && !liveness.look(listener, listener.lane)) {
          logger.info({ event: 'heartbeat_lost', client_id: id, code: 4408 })
          close(listener, 'heartbeat_lost')
        }
      }
    },
    everyMs: liveness.everyMs,
    close,
    gone(listener) {
      listener.isClosing = true
      lagging.delete(listener)
      listeners.remove(listener)
    },
  }
}
