/**
 * Deliver: who gets a text, encoded once (protocol §4, §5).
 *
 * A connection listens to outlets. Where it is live, the runtime's topics bring it what is published. One that joins with `since`, or whose buffer is
 * over the soft limit, is taken out of the topic and becomes a cursor in each log; `catch-up` brings it back. Nobody else notices.
 */
import { type CloseName, closeCodes } from '@arqonbus/protocol'
import type { Clock } from '../../kit/clock.ts'
import type { Metrics } from '../../kit/metrics.ts'
import { after } from '../../kit/timer.ts'
import type { Client, Cursors, Outlet } from '../../state/model.ts'
import type { PublishToTopic } from '../../state/transport.ts'

/** What delivery needs. */
export type DeliveryDeps = {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly metrics: Pick<Metrics, 'delivered' | 'slowFallbacks' | 'closed'>
  /** The soft limit: a connection with more bytes in its buffer falls back to the log. */
  readonly slowBytes: number
  /** Everybody who is connected. */
  readonly clients: () => Iterable<Client>
  readonly publish: PublishToTopic
  /** The same for those that listen by HTTP, of whom the runtime knows nothing. */
  readonly publishToStreams: PublishToTopic
  /** Hears of connections that are behind now. */
  readonly fellBehind: (client: Client) => void
  /** Hears of clients that do not read fast enough to stay live. */
  readonly slow: (client: Client) => void
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
  /** Gives a text to all who listen live to one of the outlets, but `except`. */
  toOutlets(outlets: readonly Outlet[], text: string, except?: Client): void
  /** Gives a text to all who listen live to an outlet, right before an entry of it. */
  ahead(outlet: Outlet, text: string): void
  /** Gives a text to one client. */
  toClient(client: Client, text: string): void
  /** The same, together with what was published in this tick: for answers that follow a delivery. */
  toClientBehindPublished(client: Client, text: string): void
  /** Ends a connection: the reason is told behind what waits for it. */
  close(client: Client, name: CloseName, reason?: string): void
}

/** A connection in pressure is looked for at least this often while some socket does not keep up. */
const LOOK_EVERY_MS = 50

/** A close frame that waits behind the backlog of a dead reader would wait for ever. */
const TERMINATE_AFTER_MS = 5000

/** Makes delivery. */
export function createDelivery(deps: DeliveryDeps): Delivery {
  /** A quarter of the way to the soft limit may pass between two looks, so that nobody gets from there to the hard limit unseen. */
  const lookEveryBytes = deps.slowBytes / 4
  let bytesUnseen = 0
  let lookedAt = 0

  const publish = (topic: string, text: string): boolean => {
    const inTime = deps.publish(topic, text)
    return deps.publishToStreams(topic, text) && inTime
  }
  const publishToOthers = (except: Client, topic: string, text: string): boolean => {
    const inTime = except.transport.publishToOthers(topic, text)
    return deps.publishToStreams(topic, text) && inTime
  }
  const goLive = (client: Client, outlet: Outlet) => {
    client.listening.set(outlet, 'live')
    client.transport.subscribe(outlet.topic)
    outlet.live++
  }
  const stopLive = (client: Client, outlet: Outlet) => {
    client.transport.unsubscribe(outlet.topic)
    outlet.live--
  }
  const lookForSlow = (bytes: number) => {
    bytesUnseen += bytes
    const now = deps.clock.monotonic()
    if (bytesUnseen < lookEveryBytes && now - lookedAt < LOOK_EVERY_MS) return
    bytesUnseen = 0
    lookedAt = now
    for (const client of deps.clients()) {
      if (!client.isClosing && client.transport.bufferedBytes() > deps.slowBytes) fallBehind(client)
    }
  }
  const fallBehind = (client: Client) => {
    let fell = false
    for (const [outlet, state] of client.listening) {
      if (state !== 'live') continue
      putBehind(client, outlet, headsOf(outlet))
      fell = true
    }
    if (!fell) return
    deps.metrics.slowFallbacks++
    deps.slow(client)
  }
  const putBehind = (client: Client, outlet: Outlet, cursors: Cursors) => {
    if (client.listening.get(outlet) === 'live') stopLive(client, outlet)
    client.listening.set(outlet, cursors)
    deps.fellBehind(client)
  }

  return {
    listen(client, outlet, cursors) {
      outlet.listeners++
      if (cursors === undefined) return goLive(client, outlet)
      client.listening.set(outlet, cursors)
      deps.fellBehind(client)
    },
    unlisten(client, outlet) {
      const state = client.listening.get(outlet)
      if (state === undefined) return undefined
      client.listening.delete(outlet)
      outlet.listeners--
      if (state === 'live') stopLive(client, outlet)
      return state
    },
    putBehind,
    putLive: goLive,
    toOutlets(outlets, text, except) {
      let inTime = true
      for (const outlet of outlets) {
        if (outlet.live === 0) continue
        if (except !== undefined && except.listening.get(outlet) === 'live') {
          deps.metrics.delivered += outlet.live - 1
          if (outlet.live > 1) inTime = publishToOthers(except, outlet.topic, text) && inTime
        } else {
          deps.metrics.delivered += outlet.live
          inTime = publish(outlet.topic, text) && inTime
        }
      }
      // Only now: whoever falls behind must have been given this text by all outlets.
      if (!inTime) lookForSlow(Buffer.byteLength(text))
    },
    ahead(outlet, text) {
      if (outlet.live === 0) return
      deps.metrics.delivered += outlet.live
      // Nobody is looked for: the log counts the entry that follows as given, and who fell behind here would never get it.
      publish(outlet.topic, text)
    },
    toClient(client, text) {
      if (!client.isClosing) client.transport.send(text)
    },
    toClientBehindPublished(client, text) {
      if (!client.isClosing) client.transport.sendBehindPublished(text)
    },
    close(client, name, reason) {
      if (client.isClosing) return
      client.isClosing = true
      deps.metrics.closed(name)
      for (const outlet of client.listening.keys()) this.unlisten(client, outlet)
      const { code, reason: usual } = closeCodes[name]
      client.transport.close(code, reason ?? usual)
      after(TERMINATE_AFTER_MS, () => client.transport.terminate())
    },
  }
}

/** Where a connection stands that has been given everything. */
export function headsOf(outlet: Outlet): Cursors {
  const cursors: Cursors = new Map()
  for (const log of outlet.logs()) cursors.set(log, log.given)
  return cursors
}
