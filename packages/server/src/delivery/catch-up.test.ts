import { expect, test } from 'bun:test'
import type { Entry, Log } from '../log/contract.ts'
import { silentLogger } from '../observability/logger.ts'
import { TargetFeed } from '../state/feed.ts'
import type { Client } from '../state/model.ts'
import { implySubscription, setState } from '../state/subscription.ts'
import { CatchUp } from './catch-up.ts'

const KiB = 1024
const TEXT = 'x'.repeat(KiB)

/** A log of so many messages of 1 KiB, all at hand. */
function logOf(messages: number): Log {
  const entries: Entry[] = Array.from({ length: messages }, (_, i) => ({ ms: 1, n: i + 1, text: TEXT }))
  const recent = (n: number, limit: number): Entry[] => entries.slice(n, n + limit)
  return { attachedAt: { ms: 1, n: 0 }, lastDelivered: { ms: 1, n: messages }, recent } as unknown as Log
}

/** Clients whose sockets take everything at once, behind in all of a log. */
function setUp(messages: number, count: number) {
  let now = 0
  /** What waits for each of them, and how often that was asked. */
  const waiting = { bytes: 0 }
  let lookedAtLog = 0
  const log = logOf(messages)
  const recent = log.recent
  log.recent = (...of) => {
    lookedAtLog++
    return recent(...of)
  }
  const feed = new TargetFeed('c', { room: 'science', channel: 'general' }, { logs: () => [log] })
  const got = new Map<Client, number>()
  const live: Client[] = []
  const catchUp = new CatchUp({
    clock: { monotonic: () => now },
    every: () => () => {},
    buffers: { limit: (most) => most },
    tails: { after: () => undefined, sweep: () => {}, size: 0 },
    stuckMs: 60_000,
    metrics: { delivered: 0, replayed: 0 },
    logger: silentLogger,
    isImmediate: true,
    gapBefore: () => 'gap',
    preludes: { advance: () => true },
    sampling: { drained: () => {} },
    live: {
      toCursors: setState,
      begin: (subscription) => {
        setState(subscription, 'live')
        live.push(subscription.client)
      },
    },
    closing: {
      closeSlow: (client) => {
        client.isClosing = true
      },
    },
  })
  const clients = Array.from({ length: count }, () => {
    const client = {
      implied: new Map(),
      rooms: new Map(),
      channels: new Map(),
      isClosing: false,
      transport: {
        bufferedBytes: () => waiting.bytes,
        flow: () => ({ left: 0 }),
        send: () => void got.set(client, (got.get(client) ?? 0) + 1),
      },
    } as unknown as Client
    catchUp.begin(implySubscription(client, feed), new Map())
    return client
  })
  const total = () => clients.reduce((sum, client) => sum + (got.get(client) ?? 0), 0)
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  const pass = (ms: number) => {
    now += ms
  }
  return { catchUp, clients, got, live, total, turn, waiting, pass, lookedAtLog: () => lookedAtLog }
}

test('a client that is little behind is live at once', () => {
  const { catchUp, clients, live, total } = setUp(10, 1)
  catchUp.drained(clients[0]!)
  expect([total(), live.length, catchUp.size()]).toEqual([10, 1, 0])
})

test('one turn of catching up ends after about 256 KiB, and the next turn continues', async () => {
  const { catchUp, clients, live, total, turn } = setUp(3000, 1)
  catchUp.drained(clients[0]!)
  const given: number[] = []
  for (let before = 0; before < 3000; before += given.at(-1)!) {
    given.push(total() - before)
    await turn()
  }
  // A turn ends with the page that makes it long.
  expect(Math.max(...given)).toBeLessThanOrEqual(2 * 256)
  expect([total(), live.length, catchUp.size()]).toEqual([3000, 1, 0])
})

test('all clients that catch up take turns', async () => {
  const { catchUp, clients, got, live, turn } = setUp(2000, 8)
  catchUp.tick()
  for (let turns = 0; turns < 24; turns++) await turn()
  const numbers = clients.map((client) => got.get(client) ?? 0)
  expect(Math.min(...numbers)).toBeGreaterThan(0)
  expect(Math.max(...numbers)).toBeLessThan(4 * Math.min(...numbers))
  for (let turns = 0; live.length < 8 && turns < 1000; turns++) await turn()
  expect(clients.map((client) => got.get(client))).toEqual(clients.map(() => 2000))
})

test('a client that takes nothing is sent nothing, and continues when its buffer drains', () => {
  const { catchUp, clients, live, total, waiting } = setUp(10, 1)
  waiting.bytes = 100 * KiB
  for (let ticks = 0; ticks < 10; ticks++) catchUp.tick()
  expect(total()).toBe(0)
  waiting.bytes = 0
  catchUp.drained(clients[0]!)
  expect([total(), live.length]).toEqual([10, 1])
})

test('a client that takes nothing for the timeout of a silent one is closed', () => {
  const { catchUp, clients, waiting, pass } = setUp(10, 1)
  waiting.bytes = 100 * KiB
  catchUp.tick()
  pass(59_999)
  catchUp.tick()
  expect(clients[0]!.isClosing).toBe(false)
  pass(2)
  catchUp.tick()
  catchUp.tick()
  expect([clients[0]!.isClosing, catchUp.size()]).toEqual([true, 0])
})

test('many clients that take nothing cost a tick only a bounded part', () => {
  const { catchUp, waiting, lookedAtLog } = setUp(10, 20_000)
  waiting.bytes = 100 * KiB
  const looked: number[] = []
  for (let ticks = 0; ticks < 16; ticks++) {
    const before = lookedAtLog()
    catchUp.tick()
    looked.push(lookedAtLog() - before)
  }
  expect(Math.max(...looked)).toBeLessThanOrEqual(5000)
  expect(looked.reduce((sum, one) => sum + one, 0)).toBeGreaterThan(20_000)
})
