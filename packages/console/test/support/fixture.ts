/** A real bus with its console, and pages of it in a real Chromium. */

import { afterAll, afterEach, beforeAll } from 'bun:test'
import { type Client, type ClientOptions, connect } from '@arqonbus/client'
import { consoleFiles } from '@arqonbus/console'
import { type Config, type RunningServer, startServer, testConfig } from '@arqonbus/server'
import { chromiumFlags } from '@arqonbus/testing'
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

/** A page of the console, and its faults. */
export type ConsolePage = {
  readonly page: Page
  /** Violations of the page's policy, uncaught errors, and what the page wrote to the console of the browser. */
  readonly faults: string[]
  /** The URLs of all requests of the page. */
  readonly requests: string[]
}

/** Resources of a test; they end with the test. */
export type Fixture = {
  bus(config?: Partial<Config>): Promise<RunningServer>
  client(bus: RunningServer, options?: Partial<ClientOptions>): Promise<Client>
  /** Opens the console at a place, such as `#/channels/a%3Ab`, and waits until it is connected. */
  open(bus: RunningServer, place?: string, options?: BrowserContextOptions): Promise<ConsolePage>
  /** The same without waiting for a connection. */
  openAnyhow(bus: RunningServer, place?: string, options?: BrowserContextOptions): Promise<ConsolePage>
}

/** A timeout that only a hanging step reaches. */
const STEP_MS = 100_000
const size = { width: 1280, height: 800 }

/** Starts a browser without a window. */
export const launch = (executablePath: string): Promise<Browser> =>
  chromium.launch({ executablePath, args: [...chromiumFlags], timeout: STEP_MS })

/**
 * Creates the fixture of a suite. One browser serves all its tests, and pages of the default kind are reused from test
 * to test: a new one costs as much as what most tests do.
 */
export function createFixture(executablePath: string): Fixture {
  let browser: Browser | undefined
  let usual: BrowserContext | undefined
  const idle: Page[] = []
  const ends: (() => Promise<unknown>)[] = []
  beforeAll(async () => {
    browser = await launch(executablePath)
    usual = await newContext({})
  }, 120_000)
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  }, 120_000)
  afterAll(() => browser?.close())

  async function newContext(options: BrowserContextOptions): Promise<BrowserContext> {
    const context = await browser!.newContext({ viewport: size, ...options })
    context.setDefaultTimeout(STEP_MS)
    return context
  }

  /** An empty page for this test. */
  async function takePage(options: BrowserContextOptions | undefined): Promise<Page> {
    if (options !== undefined) {
      const context = await newContext(options)
      ends.push(() => context.close())
      return context.newPage()
    }
    const page = idle.pop() ?? (await usual!.newPage())
    ends.push(async () => {
      page.removeAllListeners()
      await page.evaluate(() => {
        localStorage.clear()
        sessionStorage.clear()
      })
      await page.goto('about:blank')
      idle.push(page)
    })
    return page
  }

  async function openAnyhow(bus: RunningServer, place = '', options?: BrowserContextOptions): Promise<ConsolePage> {
    const page = await takePage(options)
    const [faults, requests]: [string[], string[]] = [[], []]
    page.on('console', (message) => faults.push(`${message.type()}: ${message.text()}`))
    page.on('pageerror', (error) => faults.push(String(error.stack)))
    page.on('request', (request) => requests.push(request.url()))
    page.on('websocket', (socket) => requests.push(socket.url()))
    await page.goto(`${bus.httpUrl}/${place}`)
    return { page, faults, requests }
  }

  return {
    async bus(config) {
      const bus = await startServer({ config: testConfig({ drainTimeoutMs: 200, ...config }), consoleFiles })
      ends.push(() => bus.drain('end of the test'))
      return bus
    },
    async client(bus, options) {
      const client = await connect({ url: bus.busUrl, ...options })
      ends.push(client.close)
      return client
    },
    openAnyhow,
    async open(bus, place, options) {
      const opened = await openAnyhow(bus, place, options)
      await opened.page.getByText('Connected', { exact: true }).waitFor()
      return opened
    },
  }
}
