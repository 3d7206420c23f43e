/**
 * Pages in a real browser: what a page of another origin can do to a bus on this machine, and what a page of this
 * machine can.
 */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { consoleFiles } from '@arqonbus/console'
import { chromiumFlags, eventually, startBus, withProgram } from '@arqonbus/testing'
import { type Browser, chromium, type Page } from 'playwright-core'

const bus = await startBus({}, { consoleFiles })
const { port: httpPort } = new URL(bus.httpUrl)
const api = `http://127.0.0.1:${httpPort}/api/v1`

/** A web server that serves empty pages under any name. */
const web = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch: () => new Response('<!doctype html><title>a page</title>', { headers: { 'content-type': 'text/html' } }),
})
afterAll(() => web.stop(true))

/**
 * The outcome of each attempt of a script in a page: `opened`, `refused`, perhaps with a close code, or the status of a response that it could
 * read.
 */
type Outcomes = Record<string, string | number>

/** Every request that a page can attempt without asking its user. */
const tryAll = (page: Page, room: string): Promise<Outcomes> =>
  page.evaluate(
    async ([busUrl, telemetryUrl, base, room]) => {
      const socket = (url: string) =>
        new Promise<string>((resolve) => {
          const one = new WebSocket(url)
          one.onmessage = ({ data }) => {
            const isWelcome = data.includes('"welcome"')
            one.onclose = ({ code }) => resolve(isWelcome ? 'opened' : `refused with ${code}`)
            if (isWelcome) one.close()
          }
        })
      const events = (url: string) =>
        new Promise<string>((resolve) => {
          const one = new EventSource(url)
          one.onopen = () => resolve('opened')
          one.onerror = () => resolve('refused')
        })
      const read = (url: string, init?: RequestInit) =>
        fetch(url, init).then(
          ({ status, type }) => (type === 'opaque' ? 'sent' : status),
          () => 'refused',
        )
      const image = (url: string) =>
        new Promise<string>((resolve) => {
          const one = new Image()
          one.onload = () => resolve('loaded')
          one.onerror = () => resolve('sent')
          one.src = url
        })
      const form = (url: string) =>
        new Promise<string>((resolve) => {
          const frame = document.createElement('iframe')
          frame.name = 'target'
          document.body.append(frame)
          const one = document.createElement('form')
          Object.assign(one, { method: 'post', action: url, target: 'target', enctype: 'text/plain' })
          const input = document.createElement('input')
          Object.assign(input, { name: '{"payload":{"by":"form"},"x":"', value: '"}' })
          one.append(input)
          document.body.append(one)
          frame.onload = () => resolve('sent')
          one.submit()
        })
      const place = `${base}/rooms/${room}`
      const post = { method: 'POST', body: '{"payload":{}}' }
      const json = { 'content-type': 'application/json' }
      return {
        bus: await socket(`${busUrl}?client_id=tried`),
        telemetry: await socket(telemetryUrl),
        events: await events(`${place}/channels/events/stream`),
        read: await read(`${base}/status`),
        publish: await read(`${place}/channels/publish/messages`, { ...post, headers: json }),
        blind: await read(`${place}/channels/blind/messages`, { ...post, mode: 'no-cors' }),
        image: await image(`${place}/channels/image/stream?client_id=tried`),
        form: await form(`${place}/channels/form/messages`),
      }
    },
    [bus.busUrl, bus.telemetryUrl!, api, room] as const,
  )

withProgram('chromium', 'pages in a real browser', (executablePath) => {
  let browser: Browser
  beforeAll(async () => {
    const rules = 'MAP evil.example 127.0.0.1'
    browser = await chromium.launch({ executablePath, args: [...chromiumFlags, `--host-resolver-rules=${rules}`] })
  }, 120_000)
  afterAll(() => browser?.close())
  const open = async (url: string) => {
    // A page that was loaded before its name was pointed at this server has no policy of the server.
    const page = await (await browser.newContext({ bypassCSP: true })).newPage()
    const response = await page.goto(url)
    return { page, response }
  }

  test('a foreign page reads nothing, changes nothing and opens no connection', async () => {
    const { page } = await open(`http://evil.example:${web.port}/`)
    const opened = () =>
      Promise.all(['arqonbus_connections_total', 'arqonbus_sessions_kept'].map((name) => bus.metric(name)))
    const before = await opened()
    expect(await tryAll(page, 'foreign')).toEqual({
      bus: 'refused with 4403',
      telemetry: 'refused with 4403',
      events: 'refused',
      read: 'refused',
      publish: 'refused',
      blind: 'refused',
      image: 'sent',
      form: 'sent',
    })
    const rooms = (await (await fetch(`${api}/status`)).json()) as { rooms: { name: string }[] }
    expect(rooms.rooms.map(({ name }) => name)).not.toContain('foreign')
    expect(await opened()).toEqual(before)
  }, 120_000)

  test('a foreign name that resolves to this machine is not accepted', async () => {
    const { page, response } = await open(`http://evil.example:${httpPort}/`)
    expect(response?.status()).toBe(421)
    expect(await page.evaluate(async () => (await fetch('/api/v1/status')).status)).toBe(421)
    const { port } = new URL(bus.busUrl)
    expect(
      await page.evaluate(
        (url) =>
          new Promise((resolve) => {
            const one = new WebSocket(url)
            one.onmessage = ({ data }) => data.includes('"welcome"') && resolve('opened')
            one.onclose = ({ code }) => resolve(`refused with ${code}`)
          }),
        `ws://evil.example:${port}/`,
      ),
    ).toBe('refused with 4403')
  }, 120_000)

  test('a page on localhost has the permissions of its user, and the console works under that name', async () => {
    const maker = await bus.as('maker', 'tried:events')
    const { page } = await open(`http://localhost:${web.port}/`)
    expect(await tryAll(page, 'tried')).toMatchObject({
      bus: 'opened',
      telemetry: 'opened',
      events: 'opened',
      read: 200,
      publish: 201,
    })
    const console = await open(`http://localhost:${httpPort}/`)
    await console.page.getByText('Connected', { exact: true }).waitFor()
    await maker.close()
    await page.close()
    await console.page.close()
    await eventually(async () => expect(await bus.metric('arqonbus_connections')).toBe(0))
  }, 120_000)
})
