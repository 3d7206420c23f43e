/** Receivers that are down, slow, refuse, or end: events come at least once and in order, or are counted. */
import { afterAll, describe, expect, test } from 'bun:test'
import { eventually, type TestClient } from '@arqonbus/testing'
import { type ReceivedEvent, type Receiver, type ReceiverOptions, startReceiver } from './support/receiver.ts'
import { startHooked } from './support/start.ts'

const receivers: Receiver[] = []
afterAll(async () => {
  expect(receivers.flatMap(({ faults }) => faults)).toEqual([])
  for (const receiver of receivers) await receiver.stop()
})
const receive = (options?: ReceiverOptions): Receiver => {
  const receiver = startReceiver(options)
  receivers.push(receiver)
  return receiver
}

const MESSAGES = ['message.published:science:*']
const numberOf = ({ data }: ReceivedEvent) => (data.payload as { n: number }).n
const numbersOf = (receiver: Receiver) => receiver.events.map(numberOf)
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n)
const say = async (client: TestClient, first: number, count = 1) => {
  for (let n = first; n < first + count; n++) await client.publish({ channel: 'a', payload: { n } })
}

/** The port of a receiver that has ended. */
async function freePort(): Promise<number> {
  const receiver = startReceiver()
  await receiver.stop()
  return receiver.port
}

describe('retries', () => {
  test('after a 500 the same request comes again with the same id and body, and what came meanwhile comes after it', async () => {
    const receiver = receive()
    receiver.respond = () => new Response(null, { status: receiver.requests.length <= 2 ? 500 : 204 })
    const bus = await startHooked(receiver.url, MESSAGES)
    const ann = await bus.as('ann')
    await say(ann, 0)
    await receiver.untilRequests(1)
    await say(ann, 1, 4)
    await receiver.until(5)
    const [first, second, third] = receiver.requests
    expect([second, third].map((one) => [one!.id, one!.body])).toEqual([
      [first!.id, first!.body],
      [first!.id, first!.body],
    ])
    expect(numbersOf(receiver)).toEqual(upTo(5))
    expect(await bus.requests('failed')).toBe(2)
    expect(bus.lines().map(({ event, outcome, reason }) => [event, outcome, reason])).toEqual([
      ['webhook_failing', 'failed', 'status 500'],
      ['webhook_recovered', undefined, undefined],
    ])
  })

  test('a receiver that is down gets everything in order once it is up', async () => {
    const port = await freePort()
    const bus = await startHooked(`http://127.0.0.1:${port}/hook`, MESSAGES)
    const ann = await bus.as('ann')
    await say(ann, 0, 150)
    await eventually(async () => expect(await bus.requests('failed')).toBeGreaterThan(0))
    expect(await bus.metric('arqonbus_webhook_queue_events')).toBe(150)
    expect(await bus.metric('arqonbus_webhook_queue_bytes')).toBeGreaterThan(150 * 200)
    expect(await bus.metric('arqonbus_webhooks_failing')).toBe(1)
    const receiver = receive({ port })
    await receiver.until(150)
    expect(numbersOf(receiver)).toEqual(upTo(150))
    await eventually(async () => expect(await bus.metric('arqonbus_webhook_queue_events')).toBe(0))
    expect(await bus.metric('arqonbus_webhook_queue_bytes')).toBe(0)
    expect(await bus.metric('arqonbus_webhooks_failing')).toBe(0)
  })

  test('a receiver that responds too late gets the same request again', async () => {
    const receiver = receive()
    receiver.respond = () =>
      receiver.requests.length === 1 ? new Promise<Response>(() => {}) : new Response(null, { status: 200 })
    const bus = await startHooked(receiver.url, MESSAGES, { webhooksTimeoutMs: 50 })
    await say(await bus.as('ann'), 0)
    await receiver.until(1)
    const [first, second] = receiver.requests
    expect(second!.body).toBe(first!.body)
    expect(bus.lines()[0]).toMatchObject({ event: 'webhook_failing', reason: 'timeout' })
  })

  test('a redirect is not followed: it is a failure', async () => {
    const [receiver, elsewhere] = [receive(), receive()]
    receiver.respond = () =>
      receiver.requests.length <= 2 ? Response.redirect(elsewhere.url, 307) : new Response(null, { status: 204 })
    const bus = await startHooked(receiver.url, MESSAGES)
    await say(await bus.as('ann'), 0)
    await receiver.until(1)
    expect(elsewhere.requests).toEqual([])
    expect(bus.lines()[0]).toMatchObject({ event: 'webhook_failing', reason: 'status 307' })
  })

  test('a response without end is not read to its end', async () => {
    const receiver = receive()
    let sent = 0
    let cancelled = false
    receiver.respond = () =>
      new Response(
        new ReadableStream({
          async pull(controller) {
            // A turn of the loop between chunks: the other end can hang up.
            await new Promise((resolve) => setImmediate(resolve))
            sent += 65_536
            controller.enqueue(new Uint8Array(65_536))
          },
          cancel() {
            cancelled = true
          },
        }),
      )
    const bus = await startHooked(receiver.url, MESSAGES)
    const ann = await bus.as('ann')
    await say(ann, 0)
    await eventually(async () => expect(await bus.metric('arqonbus_webhook_events_delivered_total')).toBe(1))
    await eventually(() => expect(cancelled).toBe(true))
    expect(sent).toBeLessThan(64 * 1024 * 1024)
  })
})

describe('a slow receiver', () => {
  test('gets one request at a time, and holds up neither clients nor other receivers', async () => {
    const receiver = receive()
    const held = Promise.withResolvers<void>()
    receiver.respond = async () => {
      await held.promise
      return new Response(null, { status: 204 })
    }
    const bus = await startHooked(receiver.url, MESSAGES)
    const ann = await bus.as('ann')
    const bob = await bus.as('bob', 'science:a')
    await say(ann, 0)
    await receiver.untilRequests(1)
    await say(ann, 1, 299)
    expect(await bob.messages()).toHaveLength(300)
    expect(receiver.requests).toHaveLength(1)
    held.resolve()
    await receiver.until(300)
    expect(numbersOf(receiver)).toEqual(upTo(300))
  })
})

describe('a full queue', () => {
  test.each([
    ['events', { webhooksQueueEvents: 10 }],
    ['bytes', { webhooksQueueBytes: 65_536 }],
  ] as const)(
    'of so many %s drops and counts what does not fit, and the receiver learns where that was',
    async (limit, config) => {
      const port = await freePort()
      const bus = await startHooked(`http://127.0.0.1:${port}/hook`, MESSAGES, config)
      const ann = await bus.as('ann')
      await say(ann, 0, 400)
      const dropped = await bus.dropped('queue_full')
      const kept = 400 - dropped
      if (limit === 'events') expect(kept).toBe(10)
      else expect(kept).toBeWithin(50, 390)
      expect(await bus.metric(`arqonbus_limit{limit="webhook_queue_${limit}"}`)).toBe(Object.values(config)[0]!)
      const full = bus.lines().filter(({ event }) => event === 'webhook_queue_full')
      expect(full).toEqual([expect.objectContaining({ receiver: `http://127.0.0.1:${port}`, events: kept })])

      const receiver = receive({ port })
      await receiver.until(kept)
      await eventually(async () => expect(await bus.metric('arqonbus_webhook_queue_events')).toBe(0))
      await say(ann, 400)
      await receiver.until(kept + 1)
      expect(numbersOf(receiver)).toEqual([...upTo(kept), 400])
      expect(receiver.events.map((event) => event.dropped)).toEqual([...upTo(kept).map(() => undefined), dropped])
    },
  )
})

describe('a receiver that refuses', () => {
  test('410 disables the webhook: what waits is dropped and counted, and nothing more is sent', async () => {
    const receiver = receive()
    receiver.respond = () => new Response(null, { status: 410 })
    const bus = await startHooked(receiver.url, MESSAGES)
    const ann = await bus.as('ann')
    await say(ann, 0)
    await eventually(async () => expect(await bus.dropped('gone')).toBe(1))
    await say(ann, 1, 20)
    expect(receiver.requests).toHaveLength(1)
    expect(await bus.metric('arqonbus_webhooks_failing')).toBe(1)
    expect(await bus.metric('arqonbus_webhook_queue_events')).toBe(0)
    expect(bus.lines().map(({ event }) => event)).toEqual(['webhook_gone', 'webhook_events_dropped'])
  })
})

describe('the end of the server', () => {
  test('is not held up by a receiver that is down, and what ends with it is counted and logged', async () => {
    const bus = await startHooked(`http://127.0.0.1:${await freePort()}/hook`, MESSAGES)
    await say(await bus.as('ann'), 0, 5)
    await bus.drain('a test')
    expect(bus.lines().at(-1)).toMatchObject({ event: 'webhook_events_lost', count: 5 })
  })
})
