import { expect, test } from 'bun:test'
import type { Log } from '../log/contract.ts'
import { silentLogger } from '../observability/logger.ts'
import type { Client, Outlet } from '../state/model.ts'
import { createDelivery } from './deliver.ts'
import { createSendBuffers } from './send-buffers.ts'

const SLOW_BYTES = 1000

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
    slowBytes: SLOW_BYTES,
    buffers: createSendBuffers(1 << 30),
    otherBytes: () => 0,
    fanoutBytes: 1 << 30,
    clients: () => clients,
    publish,
    publishToStreams: () => true,
    keepForSlow: undefined,
    fellBehind: ({ id }) => void behind.push(id),
    slow: () => {},
    relieved: () => {},
  })
  const outletOf = (topic: string, log?: { given: { ms: number; n: number } }): Outlet => ({
    topic,
    address: { room: 'science', channel: topic },
    listeners: 0,
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
  return { delivery, clients, got, behind, buffered, outletOf, pass, look, metrics }
}

test('a message reaches all that listen, over all outlets, but the one that is left out', () => {
  const { delivery, clients, got, outletOf } = setUp('ann', 'bob', 'cyd')
  const [ann, bob, cyd] = clients as [Client, Client, Client]
  const [channel, room] = [outletOf('c'), outletOf('w')]
  delivery.listen(ann, channel)
  delivery.listen(bob, channel)
  delivery.listen(cyd, room)
  delivery.toOutlets([channel, room], { text: 'one' })
  delivery.toOutlets([channel, room], { text: 'two' }, ann)
  delivery.unlisten(bob, channel)
  delivery.toOutlets([channel, room], { text: 'three' })
  expect(got).toEqual({ ann: ['one', 'three'], bob: ['one', 'two'], cyd: ['one', 'two', 'three'] })
  expect([channel.listeners, channel.live, room.listeners]).toEqual([1, 1, 1])
})

test('whoever falls behind at a message was given it by every outlet, and goes on after it', () => {
  const { delivery, clients, got, behind, buffered, outletOf } = setUp('ann', 'bob')
  const [ann, bob] = clients as [Client, Client]
  const log = { given: { ms: 1, n: 7 } }
  const [channel, room] = [outletOf('c', log), outletOf('w', log)]
  delivery.listen(ann, channel)
  delivery.listen(bob, room)
  Object.assign(buffered, { ann: SLOW_BYTES + 1, bob: SLOW_BYTES + 1 })
  delivery.toOutlets([channel, room], { text: 'x'.repeat(SLOW_BYTES) })
  expect([got.ann!.length, got.bob!.length, behind]).toEqual([1, 1, ['ann', 'bob']])
  expect([ann.listening.get(channel), bob.listening.get(room)]).toEqual([
    new Map([[log, log.given]]),
    new Map([[log, log.given]]),
  ] as never)
  delivery.toOutlets([channel, room], { text: 'later' })
  expect([got.ann!.length, got.bob!.length, channel.live, channel.listeners]).toEqual([1, 1, 0, 1])
})

test('nobody falls behind between a notice and the message that it announces: the log counts that as given already', () => {
  const { delivery, clients, behind, buffered, outletOf } = setUp('ann')
  const room = outletOf('w')
  delivery.listen(clients[0]!, room)
  buffered.ann = SLOW_BYTES + 1
  delivery.ahead(room, 'n'.repeat(SLOW_BYTES))
  expect(behind).toEqual([])
  delivery.toOutlets([room], { text: 'x'.repeat(SLOW_BYTES) })
  expect(behind).toEqual(['ann'])
})

test('slow ones are looked for when a quarter of the limit has passed, or 50 ms, while some socket does not keep up', () => {
  const { delivery, clients, behind, buffered, outletOf, pass } = setUp('ann', 'bob')
  const outlet = outletOf('c')
  for (const client of clients) delivery.listen(client, outlet)
  buffered.ann = SLOW_BYTES + 1
  delivery.toOutlets([outlet], { text: 'x'.repeat(SLOW_BYTES / 4 - 1) })
  expect(behind).toEqual([])
  delivery.toOutlets([outlet], { text: 'x' })
  expect(behind).toEqual(['ann'])
  buffered.bob = SLOW_BYTES + 1
  delivery.toOutlets([outlet], { text: 'x' })
  expect(behind).toEqual(['ann'])
  pass(50)
  delivery.toOutlets([outlet], { text: 'x' })
  expect(behind).toEqual(['ann', 'bob'])
})

test('the bytes count, not the characters', () => {
  const { delivery, clients, behind, buffered, outletOf } = setUp('ann')
  const outlet = outletOf('c')
  delivery.listen(clients[0]!, outlet)
  buffered.ann = SLOW_BYTES + 1
  delivery.toOutlets([outlet], { text: '€'.repeat(SLOW_BYTES / 12 + 1) })
  expect(behind).toEqual(['ann'])
})

test('while nothing is sent and nothing waits, nobody is asked what waits for it', () => {
  const { delivery, clients, buffered, outletOf, look, metrics } = setUp('ann', 'bob')
  const channel = outletOf('c')
  for (const client of clients) delivery.listen(client, channel)
  // What was published in the same tick shows at the second look only.
  expect([look(), look(), look(), look()]).toEqual([2, 2, 0, 0])
  delivery.toOutlets([channel], { text: 'one' })
  expect([look(), look(), look()]).toEqual([2, 2, 0])
  metrics.bytesOut += 100
  buffered.ann = 100
  expect([look(), look(), look(), look()]).toEqual([2, 2, 2, 2])
  buffered.ann = 0
  expect([look(), look(), look()]).toEqual([2, 0, 0])
})
