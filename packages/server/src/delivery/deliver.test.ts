import { expect, test } from 'bun:test'
import type { Client } from '../state/model.ts'
import { implySubscription } from '../state/subscription.ts'
import { createDeliveryFixture, createFeed, createLogStub } from './delivery.fixture.ts'

const SEND_BUFFER_SOFT_LIMIT = 1000

/** Send buffers are looked at when the work that has filled them is done. */
const looked = () => Promise.resolve()

/** Delivery with connected clients of these ids; records what they receive and which fall behind. */
function setUp(...ids: string[]) {
  const got: Record<string, string[]> = Object.fromEntries(ids.map((id) => [id, []]))
  const behind: string[] = []
  const fixture = createDeliveryFixture({
    config: { sendBufferSoftLimit: SEND_BUFFER_SOFT_LIMIT },
    onFrame: ({ id }, text) => got[id]!.push(text),
    slow: ({ id }, what) => void (what === 'behind' && behind.push(id)),
  })
  const clients = ids.map(fixture.connect)
  return { ...fixture, clients, got, behind }
}

test('a message reaches every subscription of all feeds except the client that is left out', () => {
  const { delivery, subscribe, clients, got } = setUp('ann', 'bob', 'cyd')
  const [ann, bob, cyd] = clients as [Client, Client, Client]
  const [channel, room] = [createFeed('c'), createFeed('w')]
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

test('a client that falls behind at a message has got it from every feed and continues after it', async () => {
  const { delivery, subscribe, clients, got, behind, buffered } = setUp('ann', 'bob')
  const [ann, bob] = clients as [Client, Client]
  const log = createLogStub(7)
  const [channel, room] = [createFeed('c', log), createFeed('w', log)]
  subscribe(ann, channel)
  subscribe(bob, room)
  for (const client of clients) buffered.set(client, SEND_BUFFER_SOFT_LIMIT + 1)
  delivery.publish([channel, room], { text: 'x'.repeat(SEND_BUFFER_SOFT_LIMIT) })
  await looked()
  expect([got.ann!.length, got.bob!.length, behind]).toEqual([1, 1, ['ann', 'bob']])
  expect([channel.subscriptionOf(ann)!.state, room.subscriptionOf(bob)!.state]).toEqual([
    new Map([[log, log.lastDelivered]]),
    new Map([[log, log.lastDelivered]]),
  ] as never)
  delivery.publish([channel, room], { text: 'later' })
  expect([got.ann!.length, got.bob!.length, channel.live, channel.subscribers]).toEqual([1, 1, 0, 1])
})

test('no client falls behind between a notice and its message, which the log already counts as delivered', async () => {
  const { delivery, subscribe, clients, behind, buffered } = setUp('ann')
  const room = createFeed('w')
  subscribe(clients[0]!, room)
  buffered.set(clients[0]!, SEND_BUFFER_SOFT_LIMIT + 1)
  delivery.sendBefore(room, 'n'.repeat(SEND_BUFFER_SOFT_LIMIT))
  expect(behind).toEqual([])
  delivery.publish([room], { text: 'x'.repeat(SEND_BUFFER_SOFT_LIMIT) })
  await looked()
  expect(behind).toEqual(['ann'])
})

test('a message reads nothing of policies where every subscription is live, and finds the sampled ones where not', () => {
  const { delivery, subscribe, clients, got } = setUp('ann', 'bob')
  const [ann, bob] = clients as [Client, Client]
  const channel = createFeed('c')
  let sampled = 0
  let reads = 0
  Object.defineProperty(channel, 'sampled', {
    get: () => {
      reads++
      return sampled
    },
    set: (value: number) => {
      sampled = value
    },
  })
  subscribe(ann, channel)
  reads = 0
  delivery.publish([channel], { text: '{}' })
  expect([reads, got.ann]).toEqual([0, ['{}']])
  delivery.start(implySubscription(bob, channel, { delivery: 'latest' }))
  expect([channel.subscribers, channel.live, sampled]).toEqual([2, 1, 1])
  delivery.publish([channel], { text: '{"a":1}' })
  expect(got).toEqual({ ann: ['{}', '{"a":1}'], bob: ['{"a":1}'] })
  delivery.stop(channel.subscriptionOf(bob)!)
  reads = 0
  delivery.publish([channel], { text: '{}' })
  expect([reads, got.bob]).toEqual([0, ['{"a":1}']])
})
