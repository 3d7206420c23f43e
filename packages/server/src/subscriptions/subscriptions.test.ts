/** Subscriptions over real delivery: which topics a connection enters and leaves, and from where it is sent what. */
import { expect, test } from 'bun:test'
import { anonymous } from '../auth/identity.ts'
import { createDeliveryParts } from '../delivery/index.ts'
import { createFairQueue } from '../kit/fair-queue.ts'
import { Account, Source } from '../limits/accounts.ts'
import type { Entry, Log } from '../log/contract.ts'
import { silentLogger } from '../observability/logger.ts'
import { createIdleChannels } from '../state/idle.ts'
import type { Client } from '../state/model.ts'
import { Rooms } from '../state/rooms.ts'
import { AT_HEAD, type Beginning } from './beginning.ts'
import { NOTHING_FOUND } from './room-channels.ts'
import { Subscriptions } from './subscriptions.ts'

const HEAD = 5

/** A log of five messages. */
function logOf(key: string): Log {
  const entries: Entry[] = Array.from({ length: HEAD }, (_, i) => ({ ms: 1, n: i + 1, text: `${key} ${i + 1}` }))
  return {
    isClosed: false,
    attachedAt: { ms: 1, n: 0 },
    lastDelivered: { ms: 1, n: HEAD },
    recent: (n: number) => entries.slice(n),
    isEmpty: () => false,
    close: () => {},
    delete: () => {},
  } as unknown as Log
}

/**
 * A room with two open channels, and a client. `calls` has the topics that its connection enters and leaves, `got` what
 * it is sent.
 */
function setUp() {
  const clock = { now: () => 0, monotonic: () => 0 }
  const limits = { maxParticipants: 10, maxRoomParticipants: 10, maxSubscriptions: 10, maxSubscriptionsTotal: 100 }
  const calls: string[] = []
  const got: string[] = []
  const client = {
    id: 'ann',
    account: new Account('ann', new Source('192.0.2.1')),
    identity: { id: 'ann', role: 'user', isProven: true, holder: 'h', isReadOnly: false, ...anonymous },
    channels: new Map(),
    rooms: new Map(),
    implied: new Map(),
    isClosing: false,
    transport: {
      subscribe: (topic: string) => void calls.push(`+${topic}`),
      unsubscribe: (topic: string) => void calls.push(`-${topic}`),
      send: (text: string) => void got.push(text),
      bufferedBytes: () => 0,
    },
  } as unknown as Client
  const { delivery, catchUp } = createDeliveryParts({
    config: {
      sendBufferSoftLimit: 1000,
      sendBufferTotal: 1 << 20,
      fanoutBytes: 1 << 20,
      pingTimeoutMs: 60_000,
      sampledKeys: 10,
      sampledBytes: 1 << 20,
      snapshotMessages: 10,
    },
    turns: createFairQueue(clock),
    clock,
    every: () => () => {},
    metrics: {
      delivered: 0,
      replayed: 0,
      leftOut: 0,
      broke: () => {},
      bytesOut: 0,
      slowFallbacks: 0,
      slowClosed: 0,
      closed: () => {},
      limit: () => {},
    },
    logger: silentLogger,
    isImmediate: true,
    frames: { envelope: () => 'gap' },
    clients: () => [client],
    publish: () => true,
    publishToStreams: () => true,
    slow: () => {},
  })
  const observers = { joined: () => {}, left: () => {}, subscriptionChanged: () => {} }
  const subscriptions = new Subscriptions({ limits, delivery, clock, observers })
  const rooms = new Rooms(
    {
      clock,
      limits: {
        ...{ maxRooms: 10, maxRoomsPerClient: 10, maxRoomsPerAddress: 10, metadataBytes: 1024 },
        ...{ maxChannels: 10_000, maxChannelsPerClient: 10_000, maxChannelsPerAddress: 10_000 },
        history: { size: 10, ttlMs: 1000 },
      },
      accountOfStored: (id) => new Account(id, new Source(id)),
      openLog: (key) => logOf(key),
      ended: () => {},
      changed: () => {},
    },
    createIdleChannels({ now: clock.monotonic, idleMs: 1000 }),
  )
  const room = rooms.createRoom({ name: 'science', type: 'user' })
  const [talk, lab] = ['talk', 'lab'].map((name) => rooms.createChannel(room, { name, type: 'general' }))
  const starts = (...of: [Log | undefined, number][]): Beginning => ({
    ...AT_HEAD,
    starts: new Map(of.map(([log, n]) => [log!, { ms: 1, n }])),
  })
  return { subscriptions, catchUp, rooms, room, talk: talk!, lab: lab!, client, calls, got, starts }
}

test('a join with a position enters the topic once, after what was missed', () => {
  const { subscriptions, catchUp, talk, client, calls, got, starts } = setUp()
  subscriptions.subscribe(client, talk, starts([talk.log, 3]))
  expect([calls, talk.feed.subscribers, talk.feed.live]).toEqual([['+b:science:1'], 1, 0])
  catchUp.drained(client)
  expect(got.map((text) => text.at(-1))).toEqual(['4', '5'])
  expect([calls, talk.feed.subscribers, talk.feed.live]).toEqual([['+b:science:1', '+c:science:talk'], 1, 1])
})

test('a join at the head of the log is live at once', () => {
  const { subscriptions, catchUp, talk, room, client, calls, starts } = setUp()
  subscriptions.subscribe(client, talk, starts([talk.log, HEAD], [room.broadcast, HEAD]))
  expect([calls, catchUp.size()]).toEqual([['+b:science:1', '+c:science:talk'], 0])
})

test('a join of a room with positions enters the topic of the room once, after what was missed in each channel', () => {
  const { subscriptions, catchUp, talk, lab, room, client, calls, got, starts } = setUp()
  const at = starts([talk.log, 4], [lab.log, 2], [room.broadcast, 4])
  subscriptions.subscribeToRoom(client, room, NOTHING_FOUND, at)
  expect(calls).toEqual([])
  catchUp.drained(client)
  expect(got.map((text) => text.at(-1))).toEqual(['5', '5', '3', '4', '5'])
  expect(calls).toEqual(['+b:science:1', '+w:science:1'])
})

test('a subscription to the room takes over from one to a channel that is catching up, and hands back', () => {
  const { subscriptions, catchUp, talk, room, client, calls, got, starts } = setUp()
  subscriptions.subscribe(client, talk, starts([talk.log, 3]))
  subscriptions.subscribeToRoom(client, room, NOTHING_FOUND)
  expect([talk.feed.subscribers, room.wideFeed.subscribers, room.wideFeed.live]).toEqual([0, 1, 0])
  expect(talk.participants.get(client)!.state).toBe('off')
  subscriptions.unsubscribeFromRoom(client, room)
  expect([talk.feed.subscribers, room.wideFeed.subscribers]).toEqual([1, 0])
  catchUp.drained(client)
  expect(got.map((text) => text.at(-1))).toEqual(['4', '5'])
  expect(calls).toEqual(['+b:science:1', '+c:science:talk'])
})

test('the broadcast of a room is held by the joins in it, and ends with the last one', () => {
  const { subscriptions, talk, lab, room, client, calls } = setUp()
  for (const channel of [talk, lab]) subscriptions.subscribe(client, channel)
  subscriptions.unsubscribe(client, talk)
  expect([room.broadcastSubscriptions.size, room.broadcastFeed.live, subscriptions.count]).toEqual([1, 1, 1])
  subscriptions.unsubscribe(client, lab)
  expect([room.broadcastSubscriptions.size, room.broadcastFeed.live, subscriptions.count]).toEqual([0, 0, 0])
  expect([client.implied.size, calls.at(-1)]).toEqual([0, '-b:science:1'])
})

test('a private channel of the room goes on when a client that joined it directly leaves it, and ends with the room', () => {
  const { subscriptions, rooms, room, client, calls } = setUp()
  const den = rooms.createChannel(room, { name: 'den', type: 'private', createdBy: 'ann' })
  subscriptions.subscribeToRoom(client, room, { channels: [den], upTo: den.seq, isExpanded: false })
  subscriptions.subscribe(client, den)
  expect([den.participants.size, den.feed.live, client.implied.has(den.feed)]).toEqual([1, 1, false])
  subscriptions.unsubscribe(client, den)
  expect([den.participants.size, den.feed.live, client.implied.has(den.feed)]).toEqual([0, 1, true])
  subscriptions.unsubscribeFromRoom(client, room)
  expect([den.feed.subscribers, client.implied.size]).toEqual([0, 0])
  expect(calls.filter((call) => call.endsWith('den'))).toEqual(['+c:science:den', '-c:science:den'])
})

test('a client that disconnects while private channels are looked for is subscribed to none of them', () => {
  const { subscriptions, rooms, room, client } = setUp()
  const dens = Array.from({ length: 1200 }, (_, i) =>
    rooms.createChannel(room, { name: `den${i}`, type: 'private', createdBy: 'ann' }),
  )
  const pieces = subscriptions.roomChannels.find(client, room)
  pieces.next()
  client.isClosing = true
  while (pieces.next().done !== true);
  expect(dens.filter(({ feed }) => feed.subscribers > 0)).toEqual([])
})
