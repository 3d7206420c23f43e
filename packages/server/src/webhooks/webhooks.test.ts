/** Retries and changed settings, over a real receiver, with pauses that take no time. */
import { afterAll, expect, test } from 'bun:test'
import { webhooksOf } from '../config/index.ts'
import { systemClock } from '../kit/clock.ts'
import { silentLogger } from '../observability/logger.ts'
import { createMetrics } from '../observability/metrics.ts'
import type { Client } from '../state/model.ts'
import { createMemoryQueue } from './memory-queue.ts'
import { postBatch } from './post-batch.ts'
import { Webhooks } from './webhooks.ts'

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

type Received = { readonly path: string; readonly ids: readonly string[]; readonly clients: readonly string[] }
const received: Received[] = []
let statusOf = (_request: Received): number | Response => 204
let watch = () => {}
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  async fetch(request) {
    const { data } = (await request.json()) as { data: { events: { id: string; data: { client_id: string } }[] } }
    const one = {
      path: new URL(request.url).pathname,
      ids: data.events.map(({ id }) => id),
      clients: data.events.map((event) => event.data.client_id),
    }
    const status = statusOf(one)
    received.push(one)
    watch()
    return typeof status === 'number' ? new Response(null, { status }) : status
  },
})
afterAll(() => server.stop(true))

const until = (isMet: () => boolean) =>
  new Promise<void>((resolve) => {
    watch = () => {
      if (isMet()) resolve()
    }
    watch()
  })
const configOf = (path: string, ...events: string[]) => ({
  url: `http://127.0.0.1:${server.port}${path}`,
  events,
  secret,
})

/** Webhooks whose pauses end at once, with the pauses that they asked for. */
function start(...paths: string[]) {
  received.length = 0
  statusOf = () => 204
  const pauses: number[] = []
  const metrics = createMetrics()
  const options = { allowPrivate: true, ca: undefined, timeoutMs: 10_000, now: Date.now, resolve: async () => [] }
  const webhooks = new Webhooks({
    clock: systemClock,
    logger: silentLogger,
    metrics,
    limits: { webhooksQueueEvents: 1000, webhooksQueueBytes: 1_000_000 },
    post: (outgoing) => postBatch(outgoing, options),
    later(ms, task) {
      pauses.push(ms)
      const timer = setImmediate(task)
      return () => clearImmediate(timer)
    },
    random: () => 0.5,
    userAgent: 'test',
    createQueue: (_id, of) => createMemoryQueue(of),
    findChannel: () => undefined,
    countInChannel: () => 0,
    takesMessages: true,
  })
  webhooks.replace(webhooksOf(paths.map((path) => configOf(path, 'client.connected'))))
  const connect = (...ids: string[]) => {
    for (const id of ids) webhooks.observer.clientConnected!({ id, kind: 'connection', profile: {} } as Client, false)
  }
  return { webhooks, pauses, connect, rendered: () => metrics.render() }
}

const names = (count: number) => Array.from({ length: count }, (_, i) => `c${i}`)

test('an event that is refused on its own ten times is dropped, and no event beside it is lost', async () => {
  const { connect, rendered } = start('/hook')
  const accepted: string[] = []
  statusOf = ({ clients }) => {
    if (clients.includes('c37')) return 422
    accepted.push(...clients)
    return 204
  }
  connect(...names(80))
  await until(() => accepted.length === 79)
  expect(accepted).toEqual(names(80).filter((name) => name !== 'c37'))
  const alone = received.filter(({ clients }) => clients.length === 1 && clients[0] === 'c37')
  expect(alone.length).toBeGreaterThan(0)
  expect(await rendered()).toContain('arqonbus_webhook_events_dropped_total{reason="refused"} 1')
})

test('pauses grow from 100 ms to 10 minutes, with jitter', async () => {
  const { connect, pauses } = start('/hook')
  statusOf = () => (received.length < 20 ? 503 : 204)
  connect('ann')
  await until(() => received.length === 21)
  // `random` is one half, so each is three quarters of the most.
  expect(pauses.slice(0, 4)).toEqual([75, 150, 300, 600])
  expect(pauses).toHaveLength(20)
  expect(Math.max(...pauses)).toBe(450_000)
})

test('Retry-After makes a pause longer, and never longer than 10 minutes', async () => {
  const { connect, pauses } = start('/hook')
  const after = ['7', '86400']
  statusOf = () => {
    const seconds = after[received.length]
    return seconds === undefined ? 204 : new Response(null, { status: 429, headers: { 'retry-after': seconds } })
  }
  connect('ann')
  await until(() => received.length === 3)
  expect(pauses).toEqual([7000, 600_000])
})

test('replaced settings keep the queue of a URL, end the webhooks that are gone, and revive one after a 410', async () => {
  const { webhooks, connect, rendered } = start('/stays', '/goes')
  statusOf = ({ path }) => (path === '/goes' ? 500 : 410)
  connect('ann')
  await until(() => received.some(({ path }) => path === '/stays') && received.some(({ path }) => path === '/goes'))
  webhooks.replace(webhooksOf([configOf('/stays', 'client.connected'), configOf('/new', 'client.connected')]))
  statusOf = () => 204
  const seen = received.length
  connect('bob')
  await until(() => received.length >= seen + 2)
  const later = received.slice(seen).filter(({ clients }) => clients.includes('bob'))
  expect(later.map(({ path }) => path).sort()).toEqual(['/new', '/stays'])
  expect(await rendered()).toContain('arqonbus_webhook_events_dropped_total{reason="removed"} 1')
})

test('messages cost a look at one field until a webhook wants some, and again after none does', () => {
  const { webhooks } = start('/hook')
  expect(webhooks.onMessage).toBeUndefined()
  webhooks.replace(webhooksOf([configOf('/hook', 'message.published:a:*')]))
  expect(webhooks.onMessage).toBeFunction()
  webhooks.replace([])
  expect(webhooks.onMessage).toBeUndefined()
})
