import { expect, test } from 'bun:test'
import type { Log } from '../log/contract.ts'
import { silentLogger } from '../observability/logger.ts'
import { TargetFeed } from '../state/feed.ts'
import type { Client, Feed } from '../state/model.ts'
import { implySubscription } from '../state/subscription.ts'
import { createDeliveryParts } from './index.ts'

const SEND_BUFFER_SOFT_LIMIT = 1000

/** A delivery whose sockets are lists, with the clients that are asked for. */
function setUp(...ids: string[]) {
  let now = 0
  const subscribed = new Map<string, Set<Client>>()
  const got: Record<string, string[]> = {}
  const behind: string[] = []
  const buffered: Record<string, number> = {}
  /** How often somebody was asked what waits for it. */
  let asked = 0
  const metrics = {
    delivered: 0,
    replayed: 0,
    bytesOut: 0,
    slowFallbacks: 0,
    slowClosed: 0,
    closed: () => {},
    limit: () => {},
    broke: () => {},
  }
  const publish = (topic: string, text: string, except?: Client) => {
    let isInTime = true
    for (const client of subscribed.get(topic) ?? []) {
      if (client === except) continue
      got[client.id]!.push(text)
      if ((buffered[client.id] ?? 0) > 0) isInTime = false
    }
    return isInTime
  }
  const clients = ids.map((id) => {
    got[id] = []
    const client = {
      id,
      implied: new Map(),
      rooms: new Map(),
      channels: new Map(),
      isClosing: false,
    } as unknown as Client
    const transport = {
      send: (text: string) => void got[id]!.push(text),
      publishToOthers: (topic: string, text: string) => publish(topic, text, client),
      subscribe: (topic: string) => void subscribed.set(topic, (subscribed.get(topic) ?? new Set()).add(client)),
      unsubscribe: (topic: string) => void subscribed.get(topic)?.delete(client),
      bufferedBytes() {
        asked++
        return buffered[id] ?? 0
      },
    }
    return Object.assign(client, { transport }) as Client
  })
  const { delivery } = createDeliveryParts({
    config: {
      sendBufferSoftLimit: SEND_BUFFER_SOFT_LIMIT,
      sendBufferTotal: 1 << 30,
      fanoutBytes: 1 << 30,
      pingTimeoutMs: 60_000,
    },
    clock: { monotonic: () => now },
    every: () => () => {},
    metrics,
    frames: { envelope: () => 'gap' },
    logger: silentLogger,
    isImmediate: false,
    otherBytes: () => 0,
    clients: () => clients,
    publish,
    publishToStreams: () => true,
    slow: ({ id }, what) => void (what === 'behind' && behind.push(id)),
  })
  const feedOf = (topic: string, log?: { lastDelivered: { ms: number; n: number } }): Feed =>
    new TargetFeed(
      topic,
      { room: 'science', channel: topic },
      { logs: () => (log === undefined ? [] : [log as unknown as Log]) },
    )
  const subscribe = (client: Client, feed: Feed) => delivery.start(implySubscription(client, feed))
  const pass = (ms: number) => {
    now += ms
  }
  const look = (): number => {
    asked = 0
    delivery.look()
    return asked
  }
  return { delivery, subscribe, clients, got, behind, buffered, feedOf, pass, look, metrics }
}

test('a message reaches every subscription of all feeds except the client that is left out', () => {
  const { delivery, subscribe, clients, got, feedOf } = setUp('ann', 'bob', 'cyd')
  const [ann, bob, cyd] = clients as [Client, Client, Client]
  const [channel, room] = [feedOf('c'), feedOf('w')]
  subscribe(ann, channel)
  subscribe(bob, channel)
  subscribe(cyd, room)
  delivery.publish([channel, room], { text: 'one' })
  delivery.publish([channel, room], { text: 'two' }, ann)
  delivery.stop(channel.subscriptionOf(bob)!)
  delivery.publish([channel, room], { text: 'three' })
  expect(got).toEqual({ ann: ['one', 'three'], bob: ['one', 'two'], cyd: ['one', 'two', 'three'] })
  expect([channel.subscribers, channel.live, room.subscribers]).toEqual([1, 1, 1])
})

test('a client that falls behind at a message has got it from every feed and continues after it', () => {
  const { delivery, subscribe, clients, got, behind, buffered, feedOf } = setUp('ann', 'bob')
  const [ann, bob] = clients as [Client, Client]
  const log = { lastDelivered: { ms: 1, n: 7 } }
  const [channel, room] = [feedOf('c', log), feedOf('w', log)]
  subscribe(ann, channel)
  subscribe(bob, room)
  Object.assign(buffered, { ann: SEND_BUFFER_SOFT_LIMIT + 1, bob: SEND_BUFFER_SOFT_LIMIT + 1 })
  delivery.publish([channel, room], { text: 'x'.repeat(SEND_BUFFER_SOFT_LIMIT) })
  expect([got.ann!.length, got.bob!.length, behind]).toEqual([1, 1, ['ann', 'bob']])
  expect([channel.subscriptionOf(ann)!.state, room.subscriptionOf(bob)!.state]).toEqual([
    new Map([[log, log.lastDelivered]]),
    new Map([[log, log.lastDelivered]]),
  ] as never)
  delivery.publish([channel, room], { text: 'later' })
  expect([got.ann!.length, got.bob!.length, channel.live, channel.subscribers]).toEqual([1, 1, 0, 1])
})

test('no client falls behind between a notice and its message, which the log already counts as delivered', () => {
  const { delivery, subscribe, clients, behind, buffered, feedOf } = setUp('ann')
  const room = feedOf('w')
  subscribe(clients[0]!, room)
  buffered.ann = SEND_BUFFER_SOFT_LIMIT + 1
  delivery.sendBefore(room, 'n'.repeat(SEND_BUFFER_SOFT_LIMIT))
  expect(behind).toEqual([])
  delivery.publish([room], { text: 'x'.repeat(SEND_BUFFER_SOFT_LIMIT) })
  expect(behind).toEqual(['ann'])
})

test('slow clients are looked for after a quarter of the limit or 50 ms while a connection does not keep up', () => {
  const { delivery, subscribe, clients, behind, buffered, feedOf, pass } = setUp('ann', 'bob')
  const feed = feedOf('c')
  for (const client of clients) subscribe(client, feed)
  buffered.ann = SEND_BUFFER_SOFT_LIMIT + 1
  delivery.publish([feed], { text: 'x'.repeat(SEND_BUFFER_SOFT_LIMIT / 4 - 1) })
  expect(behind).toEqual([])
  delivery.publish([feed], { text: 'x' })
  expect(behind).toEqual(['ann'])
  buffered.bob = SEND_BUFFER_SOFT_LIMIT + 1
  delivery.publish([feed], { text: 'x' })
  expect(behind).toEqual(['ann'])
  pass(50)
  delivery.publish([feed], { text: 'x' })
  expect(behind).toEqual(['ann', 'bob'])
})

test('the send buffer limit counts bytes, not characters', () => {
  const { delivery, subscribe, clients, behind, buffered, feedOf } = setUp('ann')
  const feed = feedOf('c')
  subscribe(clients[0]!, feed)
  buffered.ann = SEND_BUFFER_SOFT_LIMIT + 1
  delivery.publish([feed], { text: '€'.repeat(SEND_BUFFER_SOFT_LIMIT / 12 + 1) })
  expect(behind).toEqual(['ann'])
})

test('while nothing is sent and nothing waits, no connection is asked for its send buffer', () => {
  const { delivery, subscribe, clients, buffered, feedOf, look, metrics } = setUp('ann', 'bob')
  const channel = feedOf('c')
  for (const client of clients) subscribe(client, channel)
  // What was published in the same tick shows at the second look only.
  expect([look(), look(), look(), look()]).toEqual([2, 2, 0, 0])
  delivery.publish([channel], { text: 'one' })
  expect([look(), look(), look()]).toEqual([2, 2, 0])
  metrics.bytesOut += 100
  buffered.ann = 100
  expect([look(), look(), look(), look()]).toEqual([2, 2, 2, 2])
  buffered.ann = 0
  expect([look(), look(), look()]).toEqual([2, 0, 0])
})
