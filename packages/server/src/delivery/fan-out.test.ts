/**
 * Fan-out over several turns: what each turn gives, and that every subscriber gets every message once and in order,
 * while others subscribe and unsubscribe.
 */
import { describe, expect, test } from 'bun:test'
import { createRandom } from '@arqonbus/testing'
import type { Client, Cursors, Feed } from '../state/model.ts'
import { createDeliveryFixture, createFeed, createLogStub } from './delivery.fixture.ts'
import { MOST_UNITS, MOST_WRITES } from './turn-budget.ts'

const KiB = 1024
type Entry = { ms: number; n: number; text: string }

/** Delivery in turns of the event loop, which a test runs one at a time. */
function setUp({ fanoutBytes = 1 << 30 } = {}) {
  /** What each client received: the numbers of messages, and other frames as they are. */
  const got = new Map<Client, (string | number)[]>()
  const loop = createLoop()
  const fixture = createDeliveryFixture({
    config: { fanoutBytes },
    onFrame(client, text) {
      got.get(client)!.push(text.startsWith('n') ? Number(text.slice(1).split(' ')[0]) : text)
      loop.count(client)
    },
    nextTurn: loop.nextTurn,
  })
  const { live, catchUp, subscribe } = fixture
  const connect = (feed?: Feed): Client => {
    const client = fixture.connect()
    got.set(client, [])
    if (feed !== undefined) subscribe(client, feed)
    return client
  }
  const crowd = (feed: Feed, count: number) => Array.from({ length: count }, () => connect(feed))
  const fallBehind = (client: Client, feed: Feed, cursors = live.cursorsOf(feed.subscriptionOf(client)!)) =>
    catchUp.begin(feed.subscriptionOf(client)!, cursors)
  const channel = (name: string) => createChannel(name, fixture)
  return { ...fixture, ...loop, got, connect, crowd, fallBehind, channel }
}

/** The turns of an event loop, one at a time, and what each delivered: to how many clients, and how many copies. */
function createLoop() {
  const turns: { writes: number; copies: number }[] = []
  let written = new Set<Client>()
  let copies = 0
  let next: (() => void) | undefined
  const count = (client: Client) => {
    written.add(client)
    copies++
  }
  const nextTurn = (work: () => void) => {
    next = work
  }
  const isPending = () => next !== undefined
  /** Ends this turn of the loop. */
  const turn = () => {
    turns.push({ writes: written.size, copies })
    written = new Set()
    copies = 0
    const work = next
    next = undefined
    work?.()
  }
  const settle = () => {
    do turn()
    while (isPending())
    turn()
  }
  return { turns, count, nextTurn, isPending, turn, settle }
}

/** Creates a channel with its log. `say` appends and publishes as the bus does. */
function createChannel(name: string, { delivery, live }: ReturnType<typeof createDeliveryFixture>) {
  const entries: Entry[] = []
  const log = createLogStub()
  const feed = createFeed(name, log)
  const say = (length = 0, except?: Client): number => {
    const n = entries.length + 1
    const entry = { ms: n, n, text: `n${n} ${'x'.repeat(length)}` }
    entries.push(entry)
    log.lastDelivered = entry
    delivery.publish([feed], entry, except)
    return n
  }
  /** What catching up does: sends what is missing from the cursors on, and makes the subscription live. */
  const catchUp = (client: Client) => {
    const subscription = feed.subscriptionOf(client)!
    const cursors = subscription.state as Cursors
    for (const { text } of entries.slice(cursors.get(log)!.n)) client.transport.send(text)
    live.begin(subscription)
  }
  return { feed, log, entries, say, catchUp }
}

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i)

test('a message to a feed of 2,000 subscriptions goes out in the turn in which it arrives', () => {
  const { channel, crowd, got, settle, turns } = setUp()
  const { feed, say } = channel('talk')
  const subscribers = crowd(feed, 2000)
  say()
  settle()
  expect(turns.map(({ writes }) => writes).filter((writes) => writes > 0)).toEqual([2000])
  expect(subscribers.every((client) => got.get(client)!.length === 1)).toBe(true)
})

describe('a message to more subscribers', () => {
  test('a message to more subscriptions goes out over several turns, once to each', () => {
    const { channel, crowd, got, settle, turns } = setUp()
    const { feed, say } = channel('talk')
    const subscribers = crowd(feed, 20_000)
    say()
    settle()
    expect(subscribers.every((client) => got.get(client)!.length === 1)).toBe(true)
    expect(Math.max(...turns.map(({ writes }) => writes))).toBeLessThanOrEqual(2 * MOST_WRITES)
  })

  test('a message that goes out over several turns precedes later ones, and those of one turn share the writes', () => {
    const { channel, crowd, got, settle, turns } = setUp()
    const { feed, say } = channel('talk')
    const subscribers = crowd(feed, 5000)
    for (let i = 0; i < 10; i++) say()
    settle()
    expect(subscribers.every((client) => got.get(client)!.join() === range(1, 10).join())).toBe(true)
    expect(turns.reduce((sum, { writes }) => sum + writes, 0)).toBeLessThan(3 * 5000)
  })
})

test('many messages of one turn to a feed of 2,000 subscriptions go out over several turns', () => {
  const { channel, crowd, got, settle, turns } = setUp()
  const { feed, say } = channel('talk')
  const [first] = crowd(feed, 2000)
  for (let i = 0; i < 80; i++) say()
  settle()
  expect(got.get(first!)).toEqual(range(1, 80))
  expect(Math.max(...turns.map((turn) => turn.copies))).toBeLessThanOrEqual(2 * MOST_UNITS)
  expect(turns.length).toBeGreaterThan(5)
})

test('a long message goes to smaller groups in each turn, and a later short one to all at once', () => {
  const { channel, crowd, got, settle, turns } = setUp()
  const { feed, say } = channel('talk')
  const subscribers = crowd(feed, 1000)
  say(256 * KiB)
  settle()
  expect(Math.max(...turns.map((turn) => turn.copies))).toBeLessThanOrEqual(100)
  turns.splice(0)
  say()
  settle()
  expect(turns.filter(({ writes }) => writes > 0).map(({ writes }) => writes)).toEqual([1000])
  expect(subscribers.every((client) => got.get(client)!.length === 2)).toBe(true)
})

test('a flooded feed takes no turn from a calm one', () => {
  const { channel, crowd, got, turn } = setUp()
  const [flooded, calm] = [channel('flooded'), channel('calm')]
  crowd(flooded.feed, 5000)
  const [ann] = crowd(calm.feed, 100)
  for (let i = 0; i < 100; i++) flooded.say()
  for (let n = 1; n <= 20; n++) {
    turn()
    calm.say()
    expect(got.get(ann!)).toEqual(range(1, n))
  }
})

test('waiting feeds are served in turn', () => {
  const { channel, crowd, got, turn } = setUp()
  const feeds = Array.from({ length: 5 }, (_, i) => channel(`feed-${i}`))
  const firsts = feeds.map(({ feed }) => crowd(feed, 1000)[0]!)
  for (const { say } of feeds) for (let i = 0; i < 100; i++) say()
  for (let turns = 0; turns < 10; turns++) turn()
  const counts = firsts.map((client) => got.get(client)!.length)
  expect(Math.min(...counts)).toBeGreaterThan(0)
})

describe('while messages wait', () => {
  /** A feed of 3,000 with messages that wait, and one of those for whom they do. */
  const stage = (options?: { fanoutBytes: number }) => {
    const all = setUp(options)
    const feed = all.channel('talk')
    const subscribers = all.crowd(feed.feed, 3000)
    feed.say()
    feed.say()
    const ann = subscribers.find((client) => all.got.get(client)!.length === 0)!
    return { ...all, feed, subscribers, ann, gotBy: (client: Client) => all.got.get(client) }
  }

  test('a client that subscribes while messages wait gets what is published from then on', () => {
    const { connect, feed, gotBy, settle } = stage()
    const newcomers = Array.from({ length: 600 }, () => connect(feed.feed))
    feed.say()
    settle()
    expect(newcomers.every((one) => gotBy(one)!.join() === '3')).toBe(true)
  })

  test('a client that subscribes and leaves before its first message gets nothing', () => {
    const { connect, unsubscribe, feed, gotBy, settle } = stage()
    const bob = connect(feed.feed)
    unsubscribe(bob, feed.feed)
    feed.say()
    settle()
    expect(gotBy(bob)).toEqual([])
  })

  test('a client that leaves while messages wait gets these first, and nothing later', () => {
    const { ann, unsubscribe, feed, gotBy, settle } = stage()
    expect(unsubscribe(ann, feed.feed)).toBe('live')
    expect(gotBy(ann)).toEqual([1, 2])
    feed.say()
    settle()
    expect(gotBy(ann)).toEqual([1, 2])
  })

  test('a client that leaves with more waiting than can be sent at once keeps the position before it', () => {
    const { ann, unsubscribe, feed, gotBy } = stage()
    feed.say(100 * KiB)
    const stood = unsubscribe(ann, feed.feed) as Cursors
    expect([gotBy(ann), stood.get(feed.log)?.n]).toEqual([[], 0])
  })

  test('a client that falls behind while messages wait catches up without a gap or a duplicate', () => {
    const { ann, delivery, fallBehind, feed, gotBy, settle } = stage()
    expect(delivery.positionOf(feed.feed.subscriptionOf(ann)!, feed.log).n).toBe(0)
    fallBehind(ann, feed.feed)
    feed.say()
    feed.catchUp(ann)
    feed.say()
    settle()
    expect(gotBy(ann)).toEqual([1, 2, 3, 4])
  })

  test('a reply follows the copy of its message, or replaces it with echo=false', () => {
    const { ann, subscribers, delivery, feed, got, gotBy, settle } = stage()
    const bob = subscribers.findLast((client) => got.get(client)!.length === 0)!
    feed.say()
    delivery.toClientBehindPublished(ann, 'answer 3', [feed.feed])
    feed.say(0, bob)
    delivery.toClientBehindPublished(bob, 'answer 4', [feed.feed])
    feed.say()
    settle()
    expect(gotBy(ann)).toEqual([1, 2, 3, 'answer 3', 4, 5])
    expect(gotBy(bob)).toEqual([1, 2, 3, 'answer 4', 5])
  })

  test('a reply is not lost with a subscription that ends', () => {
    const { ann, delivery, subscribe, unsubscribe, feed, gotBy, settle } = stage()
    delivery.toClientBehindPublished(ann, 'answer 2', [feed.feed])
    unsubscribe(ann, feed.feed)
    subscribe(ann, feed.feed)
    feed.say()
    settle()
    expect(gotBy(ann)).toEqual([1, 2, 'answer 2', 3])
  })

  test('a notice keeps its place among waiting messages', () => {
    const { ann, delivery, feed, gotBy, settle } = stage()
    delivery.sendBefore(feed.feed, 'gap')
    feed.say()
    settle()
    expect(gotBy(ann)).toEqual([1, 2, 'gap', 3])
  })

  test('a notice is not lost for a client that falls behind', () => {
    const { ann, delivery, fallBehind, feed, gotBy, settle } = stage()
    delivery.sendBefore(feed.feed, 'gap')
    fallBehind(ann, feed.feed)
    feed.catchUp(ann)
    settle()
    expect(gotBy(ann)).toEqual(['gap', 1, 2])
  })

  test('messages of a closed log are not lost for a client that falls behind', () => {
    const { ann, fallBehind, feed, gotBy, settle } = stage()
    Object.assign(feed.log, { isClosed: true })
    fallBehind(ann, feed.feed, new Map())
    settle()
    expect(gotBy(ann)).toEqual([1, 2])
  })

  test('waiting messages can be sent at once for what cannot wait', () => {
    const { delivery, feed, got, subscribers } = stage()
    delivery.flush(feed.feed)
    expect(subscribers.every((client) => got.get(client)!.length === 2)).toBe(true)
    expect(delivery.waitingBytes()).toBe(0)
  })

  test('publishers must wait from a bound on until half of it is free', () => {
    const { delivery, feed, isPending, turn } = stage({ fanoutBytes: 4 << 20 })
    const events: string[] = []
    while (!delivery.isFull()) feed.say(100)
    delivery.whenRelieved(() => void events.push('relieved'))
    expect(delivery.waitingBytes()).toBeLessThan((4 << 20) + 3000 * 200)
    while (events.length === 0 && isPending()) turn()
    expect([events, delivery.isFull(), delivery.waitingBytes() <= 2 << 20]).toEqual([['relieved'], false, true])
  })

  test('messages that no local publisher can be paused for are read from the log far above the bound', () => {
    const { delivery, feed, got, subscribers, settle } = stage({ fanoutBytes: 1 << 20 })
    for (let i = 0; i < 100; i++) feed.say(1000)
    settle()
    const behind = subscribers.filter((client) => feed.feed.subscriptionOf(client)!.state !== 'live')
    expect(behind.length).toBeGreaterThan(0)
    for (const client of behind) feed.catchUp(client)
    feed.say()
    settle()
    expect(subscribers.every((client) => got.get(client)!.join() === range(1, 103).join())).toBe(true)
    expect(delivery.waitingBytes()).toBe(0)
  })
})

test('in random runs each subscription gets what was published during it, once and in order', () => {
  for (let seed = 1; seed <= 12; seed++) {
    const random = createRandom(seed)
    const { channel, connect, crowd, delivery, subscribe, unsubscribe, fallBehind, got, settle, turn } = setUp({
      fanoutBytes: random.pick([4, 1024]) << 20,
    })
    const { feed, log, say, catchUp } = channel('talk')
    const expected = new Map<Client, number[]>()
    const inside = new Set(crowd(feed, random.pick([30, 300, 300, 2100])))
    for (const client of inside) expected.set(client, [])
    const outside: Client[] = []
    const isBehind = (client: Client) => feed.subscriptionOf(client)?.state instanceof Map
    const catchUpAll = () => {
      for (const client of inside) if (isBehind(client)) catchUp(client)
    }
    const steps = [
      () => {
        const n = say(random.pick([0, 0, 200, 20 * KiB, 200 * KiB]))
        for (const client of inside) expected.get(client)!.push(n)
      },
      () => {
        const client = outside.pop() ?? connect()
        subscribe(client, feed)
        inside.add(client)
        if (!expected.has(client)) expected.set(client, [])
      },
      (one: Client) => {
        const stood = unsubscribe(one, feed)
        // What comes after the place where it stood is not given to it.
        if (stood instanceof Map) {
          const last = stood.get(log)!.n
          expected.set(
            one,
            expected.get(one)!.filter((n) => n <= last),
          )
        }
        inside.delete(one)
        outside.push(one)
      },
      (one: Client) => fallBehind(one, feed),
      catchUpAll,
      turn,
    ]
    for (let step = 0; step < 120; step++) {
      const one = [...inside][random.below(Math.min(inside.size, 40))]!
      random.pick([steps[0]!, steps[0]!, ...steps])(one)
    }
    catchUpAll()
    settle()
    catchUpAll()
    const wrong = [...expected].filter(([client, numbers]) => got.get(client)!.join() !== numbers.join())
    expect({ seed, wrong: wrong.map(([client]) => got.get(client)!.join()) }).toEqual({ seed, wrong: [] })
    expect({ seed, waiting: delivery.waitingBytes(), live: feed.live }).toEqual({
      seed,
      waiting: 0,
      live: inside.size,
    })
  }
}, 120_000)
