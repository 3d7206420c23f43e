/** Traffic as it is measured: what it visits, and how much of it in one turn of the loop. */
import { expect, test } from 'bun:test'
import { testClock } from '@arqonbus/testing'
import type { Pieces } from '../kit/fair-queue.ts'
import type { Channel, Client, Feed } from './model.ts'
import { MOST_RANKED, Traffic } from './traffic.ts'

/** Traffic of so many clients and channels; its work is done piece by piece, and `pieces` says how much each visits. */
function setUp(clientCount: number, channelCount: number) {
  const clock = testClock()
  const pieces: number[] = []
  let visited = 0
  const channels = Array.from({ length: channelCount }, (_, i) => {
    const feed = { address: { room: 'room', channel: `${i}` }, messages: 0 } as Feed
    return { name: `${i}`, feed } as Channel
  })
  const clients = Array.from({ length: clientCount }, (_, i) => {
    const transport = { bufferedBytes: () => i % 7 }
    return { id: `${i}`, frames: 0, framesMeasured: 0, framesPerSecond: 0, transport } as unknown as Client
  })
  function* all() {
    for (const client of clients) {
      visited++
      yield client
    }
  }
  const run = <T>(work: () => Pieces<T>): T => {
    const work_ = work()
    for (;;) {
      const piece = work_.next()
      pieces.push(visited)
      visited = 0
      if (piece.done === true) return piece.value
    }
  }
  const rooms = {
    channel(_: string, name: string) {
      visited++
      return channels[Number(name)]
    },
  }
  const traffic = new Traffic({ clock, turns: { run: run as never }, clients: { all }, rooms })
  const measure = () => {
    pieces.length = 0
    clock.advance(10_000)
    traffic.measure()
    return pieces.reduce((sum, count) => sum + count, 0)
  }
  return { traffic, clock, clients, channels, pieces, measure }
}

test('a measurement visits the channels with a message since the last one, and no others', () => {
  const { traffic, channels, measure } = setUp(0, 100_000)
  expect(measure()).toBe(0)
  for (const at of [3, 70_000]) for (let i = 0; i < 20; i++) traffic.count(channels[at]!.feed)
  expect(measure()).toBe(2)
  expect([3, 70_000, 5].map((at) => traffic.rateOf(channels[at]!))).toEqual([2, 2, 0])
  expect(measure()).toBe(0)
  expect(traffic.rateOf(channels[3]!)).toBe(0)
})

test('a channel that has ended is not visited, and has no rate', () => {
  const { traffic, channels, measure } = setUp(0, 10)
  for (const { feed } of channels) traffic.count(feed)
  for (const channel of channels.slice(0, 4)) traffic.forget(channel)
  expect(measure()).toBe(6)
  traffic.forget(channels[9]!)
  expect([3, 8, 9].map((at) => traffic.rateOf(channels[at]!))).toEqual([0, 0.1, 0])
})

test('a hundred thousand busy channels and twenty thousand clients are measured in small pieces', () => {
  const { traffic, clients, channels, pieces, measure } = setUp(20_000, 100_000)
  for (const [at, channel] of channels.entries()) for (let i = 0; i <= at % 5; i++) traffic.count(channel.feed)
  for (const [at, client] of clients.entries()) client.frames = at
  expect(measure()).toBe(120_000)
  expect(Math.max(...pieces)).toBeLessThanOrEqual(64)
  expect(traffic.busiestClients.length).toBe(MOST_RANKED)
  expect(traffic.busiestClients.slice(0, 2).map(({ id }) => id)).toEqual(['19999', '19998'])
  expect(traffic.busiestChannels.length).toBe(MOST_RANKED)
  expect(traffic.rateOf(traffic.busiestChannels.at(-1)!)).toBe(0.5)
})

test('send buffers are ranked in small pieces, at most once a second however often they are asked for', () => {
  const { traffic, clock, pieces } = setUp(20_000, 0)
  const visits = () => pieces.splice(0).reduce((sum, count) => sum + count, 0)
  for (let i = 0; i < 100; i++) void traffic.longestQueues()
  expect(Math.max(...pieces)).toBeLessThanOrEqual(64)
  expect(visits()).toBe(20_000)
  clock.advance(999)
  void traffic.longestQueues()
  expect(visits()).toBe(0)
  clock.advance(1)
  const longest = traffic.longestQueues() as readonly Client[]
  expect(visits()).toBe(20_000)
  expect(new Set(longest.map(({ transport }) => transport.bufferedBytes()))).toEqual(new Set([6]))
})
