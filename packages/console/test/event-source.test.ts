/**
 * `EventSource` of a real browser, which gives up for good on any status but 200: after each kind of temporary refusal
 * it reconnects by itself, and receives every message that it missed once.
 */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import {
  chromiumFlags,
  dial,
  eventually,
  redisPerTest,
  startBus,
  type TestBus,
  type TestRedis,
  testClock,
  withProgram,
} from '@arqonbus/testing'
import { type Browser, chromium, type Page } from 'playwright-core'
import { caller, messagesOf, openStream, type Stream, streamOf, streamOfAll } from '../../../test/api/call.ts'
import { openProxy } from '../../../test/support/tcp-proxy.ts'

const adminKey = 'k'.repeat(32)
const admin = { authorization: `Bearer ${adminKey}` }
const PATIENT = 120_000

/** A web server with an empty page: it outlives the buses. */
const web = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch: () => new Response('<!doctype html><title>a page</title>', { headers: { 'content-type': 'text/html' } }),
})
afterAll(() => web.stop(true))

/** What the page has heard: the texts of messages, and the codes of refusals. */
type Heard = { texts: string[]; refusals: string[]; state: number }

/** Reads events in a page, as its script would, and notes them. */
const listen = (page: Page, url: string): Promise<void> =>
  page.evaluate((url) => {
    const source = new EventSource(url)
    const heard: Heard = { texts: [], refusals: [], state: 0 }
    Object.assign(globalThis, { source, heard })
    source.onmessage = ({ data }) => heard.texts.push(JSON.parse(data).payload.text)
    source.addEventListener('refused', ({ data }) => heard.refusals.push(JSON.parse(data).error.code))
  }, url)

const heardBy = (page: Page): Promise<Heard> =>
  page.evaluate(() => {
    const { source, heard } = globalThis as unknown as { source: EventSource; heard: Heard }
    return { ...heard, state: source.readyState }
  })

withProgram('chromium', 'EventSource in a real browser', (executablePath) => {
  let browser: Browser
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath, args: [...chromiumFlags] })
  }, PATIENT)
  afterAll(() => browser?.close())

  /** A page that reads a stream and has its first message. */
  const reading = async (bus: TestBus, path = streamOf('es:a'), url = bus.httpUrl) => {
    const page = await (await browser.newContext()).newPage()
    await page.goto(`http://127.0.0.1:${web.port}/`)
    await say(bus, 'before')
    await listen(page, `${url}/api/v1${path}`)
    await eventually(async () => expect(await bus.metric('arqonbus_http_streams')).toBe(1))
    await say(bus, 'first')
    const hears = (...texts: string[]) =>
      eventually(async () => expect(await heardBy(page)).toMatchObject({ texts, state: 1 }))
    const isRefused = (code: string) => eventually(async () => expect((await heardBy(page)).refusals).toContain(code))
    await hears('first')
    return { page, hears, isRefused }
  }
  const say = (bus: TestBus, text: string, channel = 'a') =>
    caller(bus.httpUrl)(messagesOf('es', channel), { body: JSON.stringify({ payload: { text } }) })
  /** Ends the stream of the page, which then waits before it reconnects. */
  const endStream = async (bus: TestBus) => {
    const call = caller(bus.httpUrl)
    const readers = async () => (await call('/clients?channel=es:a', { headers: admin })).body.clients
    const [{ client_id }] = await readers()
    await call('/commands/disconnect_client', { body: JSON.stringify({ client_id }), headers: admin })
    await eventually(async () => expect(await readers()).toEqual([]))
  }

  test(
    'an EventSource that finds no free stream reconnects until one is free, and has every message once',
    async () => {
      const bus = await startBus({ adminKey, apiStreams: 1 })
      const { hears, isRefused } = await reading(bus)
      let other: Stream
      // Again, if the page has reconnected before the other stream was opened.
      do {
        await endStream(bus)
        other = await openStream(bus.httpUrl, 'es:b')
      } while (other.status !== 200)
      await say(bus, 'missed')
      await isRefused('rate_limited')
      other.close()
      await hears('first', 'missed')
      await say(bus, 'live')
      await hears('first', 'missed', 'live')
    },
    PATIENT,
  )

  test(
    'an EventSource whose address makes too many requests reconnects, and has every message once',
    async () => {
      const clock = testClock()
      const bus = await startBus({ adminKey, apiRate: { perSecond: 10, burst: 200 } }, { clock })
      const { hears, isRefused } = await reading(bus)
      const writer = await bus.as('writer')
      await endStream(bus)
      // The clock does not advance, so the bucket is not refilled.
      const statuses = Array.from({ length: 200 }, async () => (await caller(bus.httpUrl)('/clients')).status)
      expect(await Promise.all(statuses)).toContain(429)
      await isRefused('rate_limited')
      await writer.publish({ room: 'es', channel: 'a', payload: { text: 'missed' } })
      clock.advance(20_000)
      await hears('first', 'missed')
    },
    PATIENT,
  )

  withProgram('redis-server', 'with Redis', () => {
    const start = redisPerTest()

    test(
      'an EventSource reconnects to a server that drains and to its successor, and has every message once',
      async () => {
        const redis = await start()
        const settings = { adminKey, redisUrl: redis.url, drainTimeoutMs: 3_600_000, rateLimit: null, historySize: 200 }
        const bus = await startBus(settings)
        const proxy = openProxy(bus.httpUrl)
        const { page, hears, isRefused } = await reading(bus, streamOfAll('es:a', 'es:b'), new URL(proxy.url).origin)
        // A stream that is not read holds the drain up.
        const unread = await dial(bus.httpUrl)
        unread.write(`GET /api/v1${streamOf('es:c')} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
        await unread.head()
        unread.pause()
        for (let n = 0; n < 100; n++) await say(bus, 'x'.repeat(100_000), 'c')
        const drained = bus.drain('a test')
        const draining = async () => (await caller(bus.httpUrl)('/status')).body.error?.code
        await eventually(async () => expect(await draining()).toBe('shutting_down'))
        proxy.cut()
        await isRefused('shutting_down')
        unread.destroy()
        await drained
        const again = await startBus(settings)
        proxy.leadTo(again.httpUrl)
        await say(again, 'missed')
        await say(again, 'missed too', 'b')
        await eventually(async () => expect((await heardBy(page)).texts).toHaveLength(3))
        await say(again, 'live')
        await hears('first', 'missed', 'missed too', 'live')
        proxy.close()
      },
      PATIENT,
    )

    const away = async (redis: TestRedis, bus: TestBus) => {
      await redis.kill()
      await eventually(async () => expect(await bus.metric('arqonbus_storage_available')).toBe(0))
    }

    test(
      'an EventSource reconnects while the storage is unavailable, and has every message once when it is available',
      async () => {
        const redis = await start()
        const bus = await startBus({ adminKey, redisUrl: redis.url })
        const { hears, isRefused } = await reading(bus)
        await away(redis, bus)
        await endStream(bus)
        await say(bus, 'queued')
        await isRefused('storage_unavailable')
        await redis.restart()
        await hears('first', 'queued')
        await say(bus, 'live')
        await hears('first', 'queued', 'live')
      },
      PATIENT,
    )
  })
})
