import { expect, test } from 'bun:test'
import type { Log } from '../log/contract.ts'
import { silentLogger } from '../observability/logger.ts'
import type { Client, Feed } from '../state/model.ts'
import { createDelivery } from './deliver.ts'
import { createSendBuffers } from './send-buffers.ts'

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
  const metrics = { delivered: 0, bytesOut: 0, slowFallbacks: 0, slowClosed: 0, closed: () => {}, limit: () => {} }
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
    const client = { id, listening: new Map(), isClosing: false, channels: new Set() } as unknown as Client
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
  const delivery = createDelivery({
    clock: { monotonic: () => now },
    metrics,
    logger: silentLogger,
    sendBufferSoftLimit: SEND_BUFFER_SOFT_LIMIT,
    buffers: createSendBuffers(1 << 30),
    otherBytes: () => 0,
    fanoutBytes: 1 << 30,
    clients: () => clients,
    publish,
    publishToStreams: () => true,
    keepForSlow: undefined,
    fellBehind: ({ id }) => void behind.push(id),
    slow: () => {},
  })
  const feedOf = (topic: string, log?: { lastDelivered: { ms: number; n: number } }): Feed => ({
    topic,
    address: { room: 'science', channel: topic },
    subscribers: 0,
    live: 0,
    turn: -1,
    logs: () => (log === undefined ? [] : [log as unknown as Log]),
  })
  const pass = (ms: number) => {
    now += ms
  }
  const look = (): number => {
    asked = 0
    delivery.look()
    return asked
  }
  return { delivery, clients, got, behind, buffered, feedOf, pass, look, metrics }
}

test('a message reaches every subscription of all feeds except the client that is left out', () => {
  const { delivery, clients, got, feedOf } = setUp('ann', 'bob', 'cyd')
  const [ann, bob, cyd] = clients as [Client, Client, Client]
  const [channel, room] = [feedOf('c'), feedOf('w')]
  delivery.subscribe(ann, channel)
  delivery.subscribe(bob, channel)
  delivery.subscribe(cyd, room)
  delivery.broadcast([channel, room], { text: 'one' })
  delivery.broadcast([channel, room], { text: 'two' }, ann)
  delivery.unsubscribe(bob, channel)
  delivery.broadcast([channel, room], { text: 'three' })
  expect(got).toEqual({ ann: ['one', 'three'], bob: ['one', 'two'], cyd: ['one', 'two', 'three'] })
  expect([channel.subscribers, channel.live, room.subscribers]).toEqual([1, 1, 1])
})

test('a client that falls behind at a message has got it from every feed and continues after it', () => {
  const { delivery, clients, got, behind, buffered, feedOf } = setUp('ann', 'bob')
  const [ann, bob] = clients as [Client, Client]
  const log = { lastDelivered: { ms: 1, n: 7 } }
  const [channel, room] = [feedOf('c', log), feedOf('w', log)]
  delivery.subscribe(ann, channel)
  delivery.subscribe(bob, room)
  Object.assign(buffered, { ann: SEND_BUFFER_SOFT_LIMIT + 1, bob: SEND_BUFFER_SOFT_LIMIT + 1 })
  delivery.broadcast([channel, room], { text: 'x'.repeat(SEND_BUFFER_SOFT_LIMIT) })
  expect([got.ann!.length, got.bob!.length, behind]).toEqual([1, 1, ['ann', 'bob']])
  expect([ann.listening.get(channel), bob.listening.get(room)]).toEqual([
    new Map([[log, log.lastDelivered]]),
    new Map([[log, log.lastDelivered]]),
  ] as never)
  delivery.broadcast([channel, room], { text: 'later' })
  expect([got.ann!.length, got.bob!.length, channel.live, channel.subscribers]).toEqual([1, 1, 0, 1])
})

test('no client falls behind between a notice and its message, which the log already counts as delivered', () => {
  const { delivery, clients, behind, buffered, feedOf } = setUp('ann')
  const room = feedOf('w')
  delivery.subscribe(clients[0]!, room)
  buffered.ann = SEND_BUFFER_SOFT_LIMIT + 1
  delivery.sendBefore(room, 'n'.repeat(SEND_BUFFER_SOFT_LIMIT))
  expect(behind).toEqual([])
  delivery.broadcast([room], { text: 'x'.repeat(SEND_BUFFER_SOFT_LIMIT) })
  expect(behind).toEqual(['ann'])
})

test('slow clients are looked for after a quarter of the limit or 50 ms while a connection does not keep up', () => {
  const { delivery, clients, behind, buffered, feedOf, pass } = setUp('ann', 'bob')
  const feed = feedOf('c')
  for (const client of clients) delivery.subscribe(client, feed)
  buffered.ann = SEND_BUFFER_SOFT_LIMIT + 1
  delivery.broadcast([feed], { text: 'x'.repeat(SEND_BUFFER_SOFT_LIMIT / 4 - 1) })
  expect(behind).toEqual([])
  delivery.broadcast([feed], { text: 'x' })
  expect(behind).toEqual(['ann'])
  buffered.bob = SEND_BUFFER_SOFT_LIMIT + 1
  delivery.broadcast([feed], { text: 'x' })
  expect(behind).toEqual(['ann'])
  pass(50)
  delivery.broadcast([feed], { text: 'x' })
  expect(behind).toEqual(['ann', 'bob'])
})

test('the send buffer limit counts bytes, not characters', () => {
  const { delivery, clients, behind, buffered, feedOf } = setUp('ann')
  const feed = feedOf('c')
  delivery.subscribe(clients[0]!, feed)
  buffered.ann = SEND_BUFFER_SOFT_LIMIT + 1
  delivery.broadcast([feed], { text: '€'.repeat(SEND_BUFFER_SOFT_LIMIT / 12 + 1) })
  expect(behind).toEqual(['ann'])
})

test('while nothing is sent and nothing waits, no connection is asked for its send buffer', () => {
  const { delivery, clients, buffered, feedOf, look, metrics } = setUp('ann', 'bob')
  const channel = feedOf('c')
  for (const client of clients) delivery.subscribe(client, channel)
  // What was published in the same tick shows at the second look only.
  expect([look(), look(), look(), look()]).toEqual([2, 2, 0, 0])
  delivery.broadcast([channel], { text: 'one' })
  expect([look(), look(), look()]).toEqual([2, 2, 0])
  metrics.bytesOut += 100
  buffered.ann = 100
  expect([look(), look(), look(), look()]).toEqual([2, 2, 2, 2])
  buffered.ann = 0
  expect([look(), look(), look()]).toEqual([2, 0, 0])
})
