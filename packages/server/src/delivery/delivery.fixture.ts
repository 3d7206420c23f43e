/** Delivery whose connections, topics and clock are in memory: for deliver.test.ts and fan-out.test.ts. */
import { createFairQueue } from '../kit/fair-queue.ts'
import { SendBufferWatch } from '../limits/send-buffer-watch.ts'
import type { Log } from '../log/contract.ts'
import { silentLogger } from '../observability/logger.ts'
import { TargetFeed } from '../state/feed.ts'
import type { Client, Feed } from '../state/model.ts'
import { implySubscription } from '../state/subscription.ts'
import { createDeliveryParts, type DeliveryPartsDeps } from './index.ts'

/** How a test's delivery differs from the usual one. */
type DeliveryFixtureOptions = Partial<Pick<DeliveryPartsDeps, 'slow' | 'nextTurn'>> & {
  readonly config?: Partial<DeliveryPartsDeps['config']>
  /** Called for each frame that a client receives. */
  readonly onFrame: (client: Client, text: string) => void
}

/** A log whose last delivered message a test can set. */
type LogStub = Omit<Log, 'lastDelivered'> & { lastDelivered: { ms: number; n: number } }

/** Creates a log that has delivered this many messages. */
export const createLogStub = (delivered = 0): LogStub =>
  ({
    isClosed: false,
    lastDelivered: { ms: delivered, n: delivered },
    attachedAt: { ms: 0, n: 0 },
  }) as unknown as LogStub

/** Creates the feed of a channel. */
export const createFeed = (channel: string, ...logs: LogStub[]): Feed =>
  new TargetFeed(channel, { room: 'science', channel }, { logs: () => logs })

/** Creates delivery, and connects clients to it. */
export function createDeliveryFixture({ config, onFrame, slow = () => {}, nextTurn }: DeliveryFixtureOptions) {
  let now = 0
  const topics = new Map<string, Set<Client>>()
  const clients = new Set<Client>()
  /** The bytes that wait for a client; none if it is absent. */
  const buffered = new Map<Client, number>()
  const metrics = createMetrics()

  const publish = (topic: string, text: string, except?: Client): boolean => {
    let isInTime = true
    const subscribers = topics.get(topic) ?? new Set()
    for (const client of subscribers) {
      if (client === except) continue
      onFrame(client, text)
      if ((buffered.get(client) ?? 0) > 0) isInTime = false
    }
    if (!isInTime) watch.late(text, subscribers.size)
    return isInTime
  }

  const connect = (id = ''): Client => {
    const client = {
      id,
      implied: new Map(),
      rooms: new Map(),
      channels: new Map(),
      isClosing: false,
      transport: {
        send: (text: string) => onFrame(client, text),
        sendBehindPublished: (text: string) => onFrame(client, text),
        publishToOthers: (topic: string, text: string) => publish(topic, text, client),
        subscribe: (topic: string) => void topics.set(topic, (topics.get(topic) ?? new Set()).add(client)),
        unsubscribe: (topic: string) => void topics.get(topic)?.delete(client),
        bufferedBytes: () => buffered.get(client) ?? 0,
        close: () => {},
        terminate: () => {},
      },
    } as unknown as Client
    clients.add(client)
    return client
  }

  const parts = createDeliveryParts({
    config: {
      sendBufferSoftLimit: 512 * 1024,
      sendBufferTotal: 1 << 30,
      fanoutBytes: 1 << 30,
      pingTimeoutMs: 60_000,
      sampledKeys: 1000,
      sampledBytes: 1 << 20,
      snapshotMessages: 1000,
      ...config,
    },
    clock: { monotonic: () => now },
    every: () => () => {},
    turns: createFairQueue({ monotonic: () => now }),
    metrics,
    frames: { envelope: () => 'gap' },
    logger: silentLogger,
    isImmediate: false,
    clients: () => clients,
    publish,
    publishToStreams: () => true,
    slow,
    nextTurn,
  })

  const watch = new SendBufferWatch<Client>({
    clock: { monotonic: () => now },
    limits: parts.slowConsumers.limits,
    connections: () => clients,
    bytesOf: ({ transport }) => transport.bufferedBytes(),
    sent: () => metrics.bytesOut,
    report: parts.slowConsumers.addOwner(),
  })

  return {
    ...parts,
    metrics,
    buffered,
    connect,
    subscribe: (client: Client, feed: Feed) => parts.delivery.start(implySubscription(client, feed)),
    unsubscribe: (client: Client, feed: Feed) => parts.delivery.stop(feed.subscriptionOf(client)!),
    advance(ms: number) {
      now += ms
    },
  }
}

const createMetrics = () => ({
  delivered: 0,
  replayed: 0,
  leftOut: 0,
  bytesOut: 0,
  slowFallbacks: 0,
  slowClosed: 0,
  closed: () => {},
  limit: () => {},
  broke: () => {},
})
