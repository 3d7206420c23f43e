/**
 * Deliver: who gets a text, encoded once (protocol §4, §5).
 *
 * A connection listens to feeds. Where it is live, the runtime's topics bring it what is published. One that joins with `since`, or whose buffer is
 * over the soft limit, is taken out of the topic and becomes a cursor in each log; `catch-up` brings it back. Nobody else notices.
 */
import { type CloseName, closeCodes, type Position } from '@arqonbus/protocol'
import type { Clock } from '../kit/clock.ts'
import { after } from '../kit/timer.ts'
import type { Entry, Log } from '../log/contract.ts'
import type { Logger } from '../observability/logger.ts'
import type { LimitName } from '../observability/metric-labels.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Client, Cursors, Feed } from '../state/model.ts'
import type { PublishToTopic } from '../state/transport.ts'
import { FanOut, type Given } from './fan-out.ts'
import type { SendBuffers } from './send-buffers.ts'

/** What delivery needs. */
export type DeliveryDeps = {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'delivered' | 'bytesOut' | 'slowFallbacks' | 'slowClosed' | 'closed'> & {
    limit(name: LimitName): void
  }
  /** The soft limit: a connection with more bytes in its buffer falls back to the log. */
  readonly sendBufferSoftLimit: number
  /** The bound on all buffers together, and how far it lowers the soft limit. */
  readonly buffers: SendBuffers
  /** Bytes that wait elsewhere: for peers who are not clients, or for several at once. */
  readonly otherBytes: () => number
  /** Bytes of copies that may wait for a later turn of the loop. */
  readonly fanoutBytes: number
  /** Everybody who is connected. */
  readonly clients: () => Iterable<Client>
  readonly publish: PublishToTopic
  /** The same for those that listen by HTTP, of whom the runtime knows nothing. */
  readonly publishToStreams: PublishToTopic
  /** Hears of connections that are behind now. */
  readonly fellBehind: (client: Client) => void
  /** Keeps an entry for those who are behind in one of the feeds, where the log may not. */
  readonly keepForSlow: ((log: Log, entry: Entry, feeds: readonly Feed[]) => void) | undefined
  /** Hears of clients that do not read fast enough: to stay live, or to stay at all. */
  readonly slow: (client: Client, what: 'behind' | 'closed') => void
  /** Does something in the next turn of the loop. */
  readonly nextTurn?: ((work: () => void) => void) | undefined
}

/** Delivery. */
export type Delivery = {
  /** Begins to listen: live, or from the cursors on. */
  subscribe(client: Client, feed: Feed, cursors?: Cursors): void
  /** Ends it; returns where the connection stood. */
  unsubscribe(client: Client, feed: Feed): 'live' | Cursors | undefined
  /** Puts a live connection behind: `cursors` says where it goes on. */
  fallBehind(client: Client, feed: Feed, cursors: Cursors): void
  /** Makes a connection live that has caught up. */
  resumeLive(client: Client, feed: Feed): void
  /** The positions of a connection in the logs of a feed: it gets the messages after them. */
  cursorsOf(client: Client, feed: Feed): Cursors
  /** The same for one of the logs. */
  positionOf(client: Client, feed: Feed, log: Log): Position
  /** Gives a text to all who listen live to one of the feeds, but `except`: now, or in order when the loop has time for it. */
  broadcast(feeds: readonly Feed[], given: Given, except?: Client): void
  /** Gives a text to all who listen live to a feed, right before an entry of it. */
  sendBefore(feed: Feed, text: string): void
  /** Gives all that waits for those who listen to a feed. */
  flush(feed: Feed): void
  /** Gives a text to one client. */
  toClient(client: Client, text: string): void
  /** The same behind what was published before by these feeds: for answers that follow a delivery. */
  toClientBehindPublished(client: Client, text: string, feeds: readonly Feed[]): void
  /** Ends a connection: the reason is told behind what waits for it. */
  close(client: Client, name: CloseName, reason?: string): void
  /** Looks at all send buffers. Called every second: what no publish shows is bounded too. */
  look(): void
  /** Bytes of copies that wait for a later turn of the loop. */
  waitingBytes(): number
  /** True while so much of that waits that nobody should publish more. */
  isFull(): boolean
  /** Calls `goOn` once when that is over. */
  whenRelieved(goOn: () => void): void
}

/** A connection in pressure is looked for at least this often while some socket does not keep up. */
const LOOK_EVERY_MS = 50

/** A close frame that waits behind the backlog of a dead reader would wait for ever. */
const TERMINATE_AFTER_MS = 5000

/** A client that leaves a feed gets so many of the messages that still wait for it there; if there are more, it continues from the log. */
const SETTLE_BYTES = 64 * 1024

/** One look puts so many logs' worth of subscriptions behind: who is left is found by the next. */
const MOST_PUT_BEHIND = 10_000

/** One look closes so many. */
const MOST_CLOSED = 100

/** Makes delivery. */
export function createDelivery(deps: DeliveryDeps): Delivery {
  const { buffers, metrics } = deps
  /** A quarter of the way to the soft limit may pass between two looks, so that nobody gets from there to the hard limit unseen. */
  const lookEveryBytes = deps.sendBufferSoftLimit / 4
  let bytesUnseen = 0
  /** The same for all buffers together: every subscriber may be one of those that do not keep up. */
  let copiesUnseen = 0
  let isLate = false
  let lookedAt = 0
  /** What was sent until the last look by the clock, and whether it showed that nothing waits. */
  let sent = -1
  let isQuiet = false
  /** Closed, but not gone: what waits for them counts. */
  const closing = new Set<Client>()

  /** Publishers that wait until less waits. */
  const pausedPublishers: (() => void)[] = []

  const publish = (topic: string, text: string): boolean => {
    const inTime = deps.publish(topic, text)
    return deps.publishToStreams(topic, text) && inTime
  }
  const publishToOthers = (except: Client, topic: string, text: string): boolean => {
    const inTime = except.transport.publishToOthers(topic, text)
    return deps.publishToStreams(topic, text) && inTime
  }
  const late = (text: string, subscribers: number) => {
    const bytes = Buffer.byteLength(text)
    isLate = true
    bytesUnseen += bytes
    copiesUnseen += bytes * subscribers
  }
  const fanOut = new FanOut({
    publish,
    publishToOthers,
    metrics,
    clients: deps.clients,
    maxBytes: deps.fanoutBytes,
    lookEveryBytes,
    late,
    look: () => lookWhereLate(),
    overrun(clients, feed) {
      for (const client of clients) fallBehind(client, feed, cursorsOf(client, feed))
    },
    relieved() {
      for (const goOn of pausedPublishers.splice(0)) goOn()
    },
    nextTurn: deps.nextTurn,
  })
  const resumeLive = (client: Client, feed: Feed) => {
    feed.live++
    fanOut.enter(client, feed)
    client.listening.set(feed, 'live')
  }
  const stopLive = (client: Client, feed: Feed) => {
    fanOut.leave(client, feed)
    feed.live--
  }
  const lookWhereLate = () => {
    if (!isLate) return
    isLate = false
    const isMuch = bytesUnseen >= lookEveryBytes || copiesUnseen >= buffers.unseenBytes
    if (!isMuch && deps.clock.monotonic() - lookedAt < LOOK_EVERY_MS) return
    look()
  }
  /** Puts behind who has too much waiting, and adds up what waits for all. Returns what waits for clients. */
  const look = (): number => {
    bytesUnseen = 0
    copiesUnseen = 0
    lookedAt = deps.clock.monotonic()
    const limit = buffers.limit(deps.sendBufferSoftLimit)
    let bytes = 0
    let put = 0
    for (const client of deps.clients()) {
      if (client.isClosing) continue
      const waiting = client.transport.bufferedBytes()
      bytes += waiting
      if (waiting > limit && put < MOST_PUT_BEHIND) put += fallBehindInAll(client)
    }
    for (const { transport } of closing) bytes += transport.bufferedBytes()
    buffers.measured(deps.otherBytes() + bytes)
    if (buffers.excess > 0) closeLargest(buffers.excess)
    return bytes
  }
  /**
   * Where nothing was sent between two looks, and nothing waited at the second, nothing waits until something is sent: the clients need not be asked. One look is not
   * enough, because the runtime writes what was published when the tick is over.
   */
  const lookByClock = () => {
    const before = sent
    sent = metrics.delivered + metrics.bytesOut
    if (sent !== before) {
      isQuiet = false
      look()
    } else if (isQuiet) buffers.measured(deps.otherBytes())
    else isQuiet = look() === 0
  }
  /** Returns how many logs it was put behind in. */
  const fallBehindInAll = (client: Client): number => {
    let logs = 0
    for (const [feed, state] of client.listening) {
      if (state !== 'live') continue
      const cursors = cursorsOf(client, feed)
      fallBehind(client, feed, cursors)
      logs += 1 + cursors.size
    }
    if (logs > 0) {
      metrics.slowFallbacks++
      deps.slow(client, 'behind')
    }
    return logs
  }
  /** The memory for all is used up: who takes most of it goes. Those that were closed before have had their time to read. */
  const closeLargest = (excess: number) => {
    let left = excess
    for (const { transport } of closing) {
      if (left <= 0) return
      left -= transport.bufferedBytes()
      transport.terminate()
    }
    const largest = [...deps.clients()]
      .map((client) => ({ client, bytes: client.transport.bufferedBytes() }))
      .filter(({ client, bytes }) => bytes > 0 && !client.isClosing)
      .sort((a, b) => b.bytes - a.bytes)
    for (const { client, bytes } of largest.slice(0, MOST_CLOSED)) {
      if (left <= 0) return
      left -= bytes
      metrics.slowClosed++
      metrics.limit('send_buffer_bytes')
      deps.logger.warn({ event: 'slow_consumer', client_id: client.id, code: 4429, queue_bytes: bytes })
      deps.slow(client, 'closed')
      close(client, 'slow_consumer')
    }
  }
  const fallBehind = (client: Client, feed: Feed, cursors: Cursors) => {
    if (client.listening.get(feed) === 'live') {
      giveUnlogged(client, feed)
      stopLive(client, feed)
    }
    client.listening.set(feed, cursors)
    deps.fellBehind(client)
  }
  /** What waits for a connection and is in no log (a notice, or what a log has held that has ended) is not brought by catching up. */
  const giveUnlogged = (client: Client, feed: Feed) => {
    let bytes = 0
    for (const item of fanOut.pending(client, feed)) {
      if (item.kind !== 'message' || item.log?.isClosed === false) continue
      bytes += item.text.length
      if (bytes > SETTLE_BYTES) return
      client.transport.sendBehindPublished(item.text)
    }
  }
  const cursorsOf = (client: Client, feed: Feed): Cursors => {
    const state = client.listening.get(feed)
    if (state instanceof Map) return state
    const cursors = headsOf(feed)
    if (state === undefined) return cursors
    const seen = new Set<Log>()
    for (const item of fanOut.pending(client, feed)) {
      if (item.kind !== 'message' || item.log === undefined || seen.has(item.log)) continue
      seen.add(item.log)
      cursors.set(item.log, { ms: item.ms, n: item.n - 1 })
    }
    return cursors
  }
  /** Gives a live connection what still waits for it; where that is too much it stands where its cursors say. */
  const settle = (client: Client, feed: Feed): 'live' | Cursors => {
    const items = [...fanOut.pending(client, feed)]
    const bytes = items.reduce((sum, item) => sum + (item.kind === 'begin' ? 0 : item.text.length), 0)
    if (bytes > SETTLE_BYTES) return cursorsOf(client, feed)
    for (const item of items) {
      if (item.kind !== 'message') continue
      client.transport.sendBehindPublished(item.text)
      metrics.delivered++
    }
    return 'live'
  }
  const unsubscribe: Delivery['unsubscribe'] = (client, feed) => {
    const state = client.listening.get(feed)
    if (state === undefined) return undefined
    const stood = state === 'live' && !client.isClosing ? settle(client, feed) : state
    feed.subscribers--
    if (state === 'live') stopLive(client, feed)
    client.listening.delete(feed)
    return stood
  }
  const close: Delivery['close'] = (client, name, reason) => {
    if (client.isClosing) return
    client.isClosing = true
    metrics.closed(name)
    for (const feed of client.listening.keys()) unsubscribe(client, feed)
    const { code, reason: usual } = closeCodes[name]
    client.transport.close(code, reason ?? usual)
    closing.add(client)
    after(TERMINATE_AFTER_MS, () => {
      closing.delete(client)
      client.transport.terminate()
    })
  }

  return {
    subscribe(client, feed, cursors) {
      feed.subscribers++
      if (cursors === undefined) return resumeLive(client, feed)
      client.listening.set(feed, cursors)
      deps.fellBehind(client)
    },
    unsubscribe: unsubscribe,
    fallBehind,
    resumeLive,
    cursorsOf,
    positionOf(client, feed, log) {
      const state = client.listening.get(feed)
      if (state instanceof Map) return state.get(log) ?? log.attachedAt
      if (state === undefined) return log.lastDelivered
      for (const item of fanOut.pending(client, feed))
        if (item.kind === 'message' && item.log === log) return { ms: item.ms, n: item.n - 1 }
      return log.lastDelivered
    },
    broadcast(feeds, given, except) {
      const { text } = given
      let inTime = true
      let subscribers = 0
      let isBehind = false
      for (const feed of feeds) {
        if (feed.subscribers > feed.live) isBehind = true
        if (feed.live === 0) continue
        if (!fanOut.takesAtOnce(feed, text)) {
          fanOut.add(feed, given, firstOf(feeds[0]!.logs()), except)
          // A client that falls behind while the message waits continues before it.
          isBehind = true
          continue
        }
        subscribers += feed.live
        if (except !== undefined && except.listening.get(feed) === 'live') {
          metrics.delivered += feed.live - 1
          if (feed.live > 1) inTime = publishToOthers(except, feed.topic, text) && inTime
        } else {
          metrics.delivered += feed.live
          inTime = publish(feed.topic, text) && inTime
        }
      }
      if (isBehind && isEntry(given)) deps.keepForSlow?.(firstOf(feeds[0]!.logs())!, given, feeds)
      // Only now: a client that falls behind must have got this text from all feeds.
      if (!inTime) late(text, subscribers)
      lookWhereLate()
    },
    sendBefore(feed, text) {
      if (feed.live === 0) return
      if (!fanOut.takesAtOnce(feed, text)) return fanOut.add(feed, { text }, undefined, undefined)
      metrics.delivered += feed.live
      // Nobody is looked for: the log counts the entry that follows as given, and who fell behind here would never get it.
      publish(feed.topic, text)
    },
    flush: (feed) => fanOut.flush(feed),
    toClient(client, text) {
      if (!client.isClosing) client.transport.send(text)
    },
    toClientBehindPublished(client, text, feeds) {
      if (client.isClosing || fanOut.answerBehind(client, feeds, text)) return
      client.transport.sendBehindPublished(text)
    },
    close,
    look: lookByClock,
    waitingBytes: () => fanOut.bytes,
    isFull: () => fanOut.isFull,
    whenRelieved: (goOn) => void pausedPublishers.push(goOn),
  }
}

/** Where a connection stands that has been given everything. */
export function headsOf(feed: Feed): Cursors {
  const cursors: Cursors = new Map()
  for (const log of feed.logs()) cursors.set(log, log.lastDelivered)
  return cursors
}

const isEntry = (given: Given): given is Entry => given.n !== undefined

function firstOf<T>(all: Iterable<T>): T | undefined {
  for (const one of all) return one
  return undefined
}
