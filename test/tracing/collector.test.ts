/**
 * Collectors that are down, slow, refuse, request a delay or never end: the bus continues, nothing accumulates, and
 * lost spans are counted.
 */
import { afterAll, describe, expect, test } from 'bun:test'
import type { Config } from '@arqonbus/server'
import { eventually, startBus, type TestBus, type TestClient } from '@arqonbus/testing'
import { accept, type Collector, startCollector } from '../support/collector.ts'

const collectors: Collector[] = []
afterAll(async () => {
  expect(collectors.flatMap(({ faults }) => faults)).toEqual([])
  for (const { stop } of collectors) await stop()
})
const collect = (options?: { port: number }): Collector => {
  const collector = startCollector(options)
  collectors.push(collector)
  return collector
}

type Line = { event: string; [field: string]: unknown }

/** Starts a bus with spans sent to `url`, and a client of it; reads its log. */
async function start(url: string, config: Partial<Config> = {}) {
  const lines: Line[] = []
  const write = (line: Line) => lines.push(line)
  const bus = await startBus(
    { otelExporterOtlpEndpoint: url, otelBspScheduleDelay: 1, rateLimit: null, ...config },
    { logger: { debug() {}, info: write, warn: write, error: write } },
  )
  return { bus, client: await bus.as('ann'), lines: () => lines.filter(({ event }) => event.startsWith('traces_')) }
}

const counts = async (bus: TestBus) => ({
  exported: await bus.metric('arqonbus_traces_exported_total'),
  dropped: await bus.metric('arqonbus_traces_dropped_total'),
})
const publishMany = async (client: TestClient, count: number) => {
  for (let i = 0; i < count; i++) await client.publish({ channel: 'many' })
}

/** The port of a collector that has ended. */
async function portWithoutCollector(): Promise<number> {
  const collector = startCollector()
  await collector.stop()
  return collector.port
}

describe('a collector', () => {
  test('spans are sent to the collector in full batches and counted', async () => {
    const collector = collect()
    const { bus, client } = await start(collector.url, {
      otelBspScheduleDelay: 60_000,
      otelBspMaxExportBatchSize: 10,
    })
    await publishMany(client, 20)
    await collector.until(2)
    expect(collector.requests.map(({ spans }) => spans.length)).toEqual([10, 10])
    await eventually(async () => expect(await counts(bus)).toEqual({ exported: 20, dropped: 0 }))
  })

  test('with the collector down, spans beyond the queue are dropped, and queued ones are sent once it is up', async () => {
    const port = await portWithoutCollector()
    const { bus, client, lines } = await start(`http://127.0.0.1:${port}`, {
      otelBspMaxQueueSize: 8,
      otelBspMaxExportBatchSize: 4,
    })
    await publishMany(client, 100)
    await eventually(() => expect(lines()).toHaveLength(1))
    expect(lines()[0]).toMatchObject({ event: 'traces_export_failed', reason: expect.stringMatching(/^\w+$/) })
    const { exported, dropped } = await counts(bus)
    expect(exported).toBe(0)
    // Twelve fit: those in flight and those in the queue.
    expect(dropped).toBeGreaterThanOrEqual(100 - 12)

    const collector = collect({ port })
    await eventually(async () => expect(await counts(bus)).toEqual({ exported: 100 - dropped, dropped }))
    expect(collector.spans).toHaveLength(100 - dropped)
    expect(lines().map(({ event }) => event)).toEqual(['traces_export_failed', 'traces_export_recovered'])
  })

  test('a collector that does not reply delays neither messages nor commands, and gets one request at a time', async () => {
    const collector = collect()
    const held = Promise.withResolvers<void>()
    collector.answer = async (request) => {
      await held.promise
      return accept(request)
    }
    const { bus, client } = await start(collector.url, { otelBspMaxQueueSize: 16, otelBspMaxExportBatchSize: 16 })
    const reader = await bus.as('bob', 'science:many')
    await client.publish({ channel: 'many' })
    await collector.until(1)
    // All of this happens while the collector has not replied.
    await publishMany(client, 300)
    expect(await reader.messages()).toHaveLength(301)
    expect(collector.requests).toHaveLength(1)
    const { dropped } = await counts(bus)
    expect(dropped).toBeGreaterThanOrEqual(300 - 16)
    held.resolve()
    await eventually(async () => expect((await counts(bus)).exported).toBeGreaterThanOrEqual(16))
  })

  test('a collector that replies too late gets the same spans again', async () => {
    const collector = collect()
    collector.answer = (request) =>
      collector.requests.length === 1 ? new Promise<Response>(() => {}) : accept(request)
    const { bus, client, lines } = await start(collector.url, { otelExporterOtlpTimeout: 50 })
    await client.publish({ channel: 'many' })
    const [first, second] = await collector.until(2)
    expect(second?.body).toBe(first!.body)
    await eventually(async () => expect(await counts(bus)).toEqual({ exported: 1, dropped: 0 }))
    expect(lines().map(({ event, reason }) => [event, reason])).toEqual([
      ['traces_export_failed', 'TimeoutError'],
      ['traces_export_recovered', undefined],
    ])
  })

  test.each([400, 401, 404, 413, 500])(
    'a collector that refuses with %d does not get the spans again',
    async (status) => {
      const collector = collect()
      collector.answer = () => new Response('hunter2 is no key', { status })
      const { bus, client, lines } = await start(collector.url)
      await client.publish({ channel: 'many' })
      await eventually(async () => expect(await counts(bus)).toEqual({ exported: 0, dropped: 1 }))
      expect(lines()).toEqual([{ event: 'traces_export_failed', reason: `status ${status}`, count: 1 }])
      collector.answer = accept
      await client.publish({ channel: 'many' })
      await eventually(async () => expect(await counts(bus)).toEqual({ exported: 1, dropped: 1 }))
      expect(collector.requests).toHaveLength(2)
    },
  )

  test('a redirect from the collector counts as a refusal, so that its headers reach no other server', async () => {
    const [collector, elsewhere] = [collect(), collect()]
    collector.answer = () => Response.redirect(`${elsewhere.url}/v1/traces`, 307)
    const { bus, client } = await start(collector.url)
    await client.publish({ channel: 'many' })
    await eventually(async () => expect(await counts(bus)).toEqual({ exported: 0, dropped: 1 }))
    expect(elsewhere.requests).toEqual([])
  })

  test.each([429, 503])(
    'a collector that replies %d with a retry time gets the spans then, and not before',
    async (status) => {
      const collector = collect()
      collector.answer = (request) =>
        collector.requests.length === 1
          ? new Response(null, { status, headers: { 'retry-after': '1' } })
          : accept(request)
      const { bus, client } = await start(collector.url)
      await client.publish({ channel: 'many' })
      const [first, second] = await collector.until(2)
      expect(second!.atMs - first!.atMs).toBeGreaterThanOrEqual(990)
      expect(second?.body).toBe(first!.body)
      await eventually(async () => expect(await counts(bus)).toEqual({ exported: 1, dropped: 0 }))
    },
  )

  test('spans that the collector rejects in a partial success are counted and logged', async () => {
    const collector = collect()
    collector.answer = () => Response.json({ partialSuccess: { rejectedSpans: '2', errorMessage: 'two are too old' } })
    const { bus, client, lines } = await start(collector.url, {
      otelBspScheduleDelay: 60_000,
      otelBspMaxExportBatchSize: 5,
    })
    await publishMany(client, 5)
    await eventually(async () => expect(await counts(bus)).toEqual({ exported: 3, dropped: 2 }))
    expect(lines()).toEqual([{ event: 'traces_rejected', count: 2, reason: 'two are too old' }])
  })

  test('a collector whose response never ends does not hold up the export', async () => {
    const collector = collect()
    collector.answer = () =>
      new Response(
        new ReadableStream(
          { pull: (stream) => stream.enqueue(new Uint8Array(65_536).fill(0x20)) },
          { highWaterMark: 1 },
        ),
      )
    const { bus, client } = await start(collector.url)
    await client.publish({ channel: 'many' })
    await client.publish({ channel: 'many' })
    await eventually(async () => expect(await counts(bus)).toEqual({ exported: 2, dropped: 0 }))
  })
})

describe('the end of a server', () => {
  test('a server that ends sends its queued spans first', async () => {
    const collector = collect()
    const { bus, client } = await start(collector.url, { otelBspScheduleDelay: 60_000, otelBspMaxExportBatchSize: 4 })
    await client.publish({ channel: 'many' })
    await client.command('ping')
    expect(collector.requests).toEqual([])
    await bus.drain('end of the test')
    expect(collector.spans.map(({ name }) => name)).toEqual(['publish', 'command ping'])
  })

  test('a server that ends does not wait for an unresponsive collector, and logs the lost spans', async () => {
    const collector = collect()
    collector.answer = () => new Promise<Response>(() => {})
    const { bus, client, lines } = await start(collector.url, { otelBspMaxExportBatchSize: 2 })
    await publishMany(client, 6)
    await collector.until(1)
    await bus.drain('end of the test')
    expect(lines().map(({ event }) => event)).toEqual(['traces_export_failed', 'traces_lost'])
    expect(lines()[1]?.count).toBeGreaterThanOrEqual(4)
    expect(collector.requests).toHaveLength(1)
  })

  test('a server that ends does not wait out the pause after a failed export', async () => {
    const collector = collect()
    collector.answer = () => new Response(null, { status: 429, headers: { 'retry-after': '3600' } })
    const { bus, client, lines } = await start(collector.url)
    await client.publish({ channel: 'many' })
    await eventually(() => expect(lines()).toHaveLength(1))
    collector.answer = accept
    await bus.drain('end of the test')
    expect(collector.requests.map(({ spans }) => spans.length)).toEqual([1, 1])
  })
})
