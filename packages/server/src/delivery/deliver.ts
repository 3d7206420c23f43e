/**
 * Deliver: who gets a text, encoded once (protocol §4, §5).
 *
 * A connection listens to outlets. Where it is live, the runtime's topics bring it what is published. One that joins with `since`, or whose buffer is
 * over the soft limit, is taken out of the topic and becomes a cursor in each log; `catch-up` brings it back. Nobody else notices.
 */
import { type CloseName, closeCodes, type Position } from '@arqonbus/protocol'
import type { Clock } from '../kit/clock.ts'
import { after } from '../kit/timer.ts'
import type { Entry, Log } from '../log/contract.ts'
import type { Logger } from '../observability/logger.ts'
import type { LimitName } from '../observability/metric-labels.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Client, Cursors, Outlet } from '../state/model.ts'
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
  readonly slowBytes: number
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
  /** Keeps an entry for those who are behind in one of the outlets, where the log may not. */
  readonly keepForSlow: ((log: Log, entry: Entry, outlets: readonly Outlet[]) => void) | undefined
  /** Hears of clients that do not read fast enough: to stay live, or to stay at all. */
  readonly slow: (client: Client, what: 'behind' | 'closed') => void
  /** Hears that publishers need not wait for the fan-out any more. */
  readonly relieved: () => void
  /** Does something in the next turn of the loop. */
  readonly nextTurn?: ((work: () => void) => void) | undefined
}

/** Delivery. */
export type Delivery = {
  /** Begins to listen: live, or from the cursors on. */
  listen(client: Client, outlet: Outlet, cursors?: Cursors): void
  /** Ends it; returns where the connection stood. */
  unlisten(client: Client, outlet: Outlet): 'live' | Cursors | undefined
  /** Puts a live connection behind: `cursors` says where it goes on. */
  putBehind(client: Client, outlet: Outlet, cursors: Cursors): void
  /** Makes a connection live that has caught up. */
  putLive(client: Client, outlet: Outlet): void
  /** Where a connection stands in the logs of an outlet: what comes after it comes. */
  cursorsOf(client: Client, outlet: Outlet): Cursors
  /** The same for one of the logs. */
  standing(client: Client, outlet: Outlet, log: Log): Position
  /** Gives a text to all who listen live to one of the outlets, but `except`: now, or in order when the loop has time for it. */
  toOutlets(outlets: readonly Outlet[], given: Given, except?: Client): void
  /** Gives a text to all who listen live to an outlet, right before an entry of it. */
  ahead(outlet: Outlet, text: string): void
  /** Gives all that waits for those who listen to an outlet. */
  flush(outlet: Outlet): void
  /** Gives a text to one client. */
  toClient(client: Client, text: string): void
  /** The same behind what was published before by these outlets: for answers that follow a delivery. */
  toClientBehindPublished(client: Client, text: string, outlets: readonly Outlet[]): void
  /** Ends a connection: the reason is told behind what waits for it. */
  close(client: Client, name: CloseName, reason?: string): void
  /** Looks at all send buffers. Called every second: what no publish shows is bounded too. */
  look(): void
  /** Bytes of copies that wait for a later turn of the loop. */
  waitingBytes(): number
  /** True while so much of that waits that nobody should publish more. */
  isFull(): boolean
}

/** A connection in pressure is looked for at least this often while some socket does not keep up. */
const LOOK_EVERY_MS = 50

/** A close frame that waits behind the backlog of a dead reader would wait for ever. */
const TERMINATE_AFTER_MS = 5000

/** Whoever leaves an outlet is given so much of what still waits for it there; where there is more, it goes on from the log. */
const SETTLE_BYTES = 64 * 1024

/** One look puts so many logs' worth of subscriptions behind: who is left is found by the next. */
const MOST_PUT_BEHIND = 10_000

/** One look closes so many. */
const MOST_CLOSED = 100

/** Makes delivery. */
export function createDelivery(deps: DeliveryDeps): Delivery {
  const { buffers, metrics } = deps
  /** A quarter of the way to the soft limit may pass between two looks, so that nobody gets from there to the hard limit unseen. */
  const lookEveryBytes = deps.slowBytes / 4
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
    overrun(clients, outlet) {
      for (const client of clients) putBehind(client, outlet, cursorsOf(client, outlet))
    },
    relieved: deps.relieved,
    nextTurn: deps.nextTurn,
  })
  const goLive = (client: Client, outlet: Outlet) => {
    outlet.live++
    fanOut.enter(client, outlet)
    client.listening.set(outlet, 'live')
  }
  const stopLive = (client: Client, outlet: Outlet) => {
    fanOut.leave(client, outlet)
    outlet.live--
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
    const limit = buffers.limit(deps.slowBytes)
    let bytes = 0
    let put = 0
    for (const client of deps.clients()) {
      if (client.isClosing) continue
      const waiting = client.transport.bufferedBytes()
      bytes += waiting
      if (waiting > limit && put < MOST_PUT_BEHIND) put += fallBehind(client)
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
  const fallBehind = (client: Client): number => {
    let logs = 0
    for (const [outlet, state] of client.listening) {
      if (state !== 'live') continue
      const cursors = cursorsOf(client, outlet)
      putBehind(client, outlet, cursors)
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
  const putBehind = (client: Client, outlet: Outlet, cursors: Cursors) => {
    if (client.listening.get(outlet) === 'live') {
      giveUnlogged(client, outlet)
      stopLive(client, outlet)
    }
    client.listening.set(outlet, cursors)
    deps.fellBehind(client)
  }
  /** What waits for a connection and is in no log (a notice, or what a log has held that has ended) is not brought by catching up. */
  const giveUnlogged = (client: Client, outlet: Outlet) => {
    let bytes = 0
    for (const item of fanOut.pending(client, outlet)) {
      if (item.kind !== 'message' || item.log?.isClosed === false) continue
      bytes += item.text.length
      if (bytes > SETTLE_BYTES) return
      client.transport.sendBehindPublished(item.text)
    }
  }
  const cursorsOf = (client: Client, outlet: Outlet): Cursors => {
    const state = client.listening.get(outlet)
    if (state instanceof Map) return state
    const cursors = headsOf(outlet)
    if (state === undefined) return cursors
    const seen = new Set<Log>()
    for (const item of fanOut.pending(client, outlet)) {
      if (item.kind !== 'message' || item.log === undefined || seen.has(item.log)) continue
      seen.add(item.log)
      cursors.set(item.log, { ms: item.ms, n: item.n - 1 })
    }
    return cursors
  }
  /** Gives a live connection what still waits for it; where that is too much it stands where its cursors say. */
  const settle = (client: Client, outlet: Outlet): 'live' | Cursors => {
    const items = [...fanOut.pending(client, outlet)]
    const bytes = items.reduce((sum, item) => sum + (item.kind === 'begin' ? 0 : item.text.length), 0)
    if (bytes > SETTLE_BYTES) return cursorsOf(client, outlet)
    for (const item of items) {
      if (item.kind !== 'message') continue
      client.transport.sendBehindPublished(item.text)
      metrics.delivered++
    }
    return 'live'
  }
  const unlisten: Delivery['unlisten'] = (client, outlet) => {
    const state = client.listening.get(outlet)
    if (state === undefined) return undefined
    const stood = state === 'live' && !client.isClosing ? settle(client, outlet) : state
    outlet.listeners--
    if (state === 'live') stopLive(client, outlet)
    client.listening.delete(outlet)
    return stood
  }
  const close: Delivery['close'] = (client, name, reason) => {
    if (client.isClosing) return
    client.isClosing = true
    metrics.closed(name)
    for (const outlet of client.listening.keys()) unlisten(client, outlet)
    const { code, reason: usual } = closeCodes[name]
    client.transport.close(code, reason ?? usual)
    closing.add(client)
    after(TERMINATE_AFTER_MS, () => {
      closing.delete(client)
      client.transport.terminate()
    })
  }

  return {
    listen(client, outlet, cursors) {
      outlet.listeners++
      if (cursors === undefined) return goLive(client, outlet)
      client.listening.set(outlet, cursors)
      deps.fellBehind(client)
    },
    unlisten,
    putBehind,
    putLive: goLive,
    cursorsOf,
    standing(client, outlet, log) {
      const state = client.listening.get(outlet)
      if (state instanceof Map) return state.get(log) ?? log.base
      if (state === undefined) return log.given
      for (const item of fanOut.pending(client, outlet))
        if (item.kind === 'message' && item.log === log) return { ms: item.ms, n: item.n - 1 }
      return log.given
    },
    toOutlets(outlets, given, except) {
      const { text } = given
      let inTime = true
      let subscribers = 0
      let isBehind = false
      for (const outlet of outlets) {
        if (outlet.listeners > outlet.live) isBehind = true
        if (outlet.live === 0) continue
        if (!fanOut.takesAtOnce(outlet, text)) {
          fanOut.add(outlet, given, firstOf(outlets[0]!.logs()), except)
          // Whoever falls behind while it waits goes on before it.
          isBehind = true
          continue
        }
        subscribers += outlet.live
        if (except !== undefined && except.listening.get(outlet) === 'live') {
          metrics.delivered += outlet.live - 1
          if (outlet.live > 1) inTime = publishToOthers(except, outlet.topic, text) && inTime
        } else {
          metrics.delivered += outlet.live
          inTime = publish(outlet.topic, text) && inTime
        }
      }
      if (isBehind && isEntry(given)) deps.keepForSlow?.(firstOf(outlets[0]!.logs())!, given, outlets)
      // Only now: whoever falls behind must have been given this text by all outlets.
      if (!inTime) late(text, subscribers)
      lookWhereLate()
    },
    ahead(outlet, text) {
      if (outlet.live === 0) return
      if (!fanOut.takesAtOnce(outlet, text)) return fanOut.add(outlet, { text }, undefined, undefined)
      metrics.delivered += outlet.live
      // Nobody is looked for: the log counts the entry that follows as given, and who fell behind here would never get it.
      publish(outlet.topic, text)
    },
    flush: (outlet) => fanOut.flush(outlet),
    toClient(client, text) {
      if (!client.isClosing) client.transport.send(text)
    },
    toClientBehindPublished(client, text, outlets) {
      if (client.isClosing || fanOut.answerBehind(client, outlets, text)) return
      client.transport.sendBehindPublished(text)
    },
    close,
    look: lookByClock,
    waitingBytes: () => fanOut.bytes,
    isFull: () => fanOut.isFull,
  }
}

/** Where a connection stands that has been given everything. */
export function headsOf(outlet: Outlet): Cursors {
  const cursors: Cursors = new Map()
  for (const log of outlet.logs()) cursors.set(log, log.given)
  return cursors
}

const isEntry = (given: Given): given is Entry => given.n !== undefined

function firstOf<T>(all: Iterable<T>): T | undefined {
  for (const one of all) return one
  return undefined
}
