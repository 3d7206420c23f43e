import { type Client, connect } from '@arqonbus/client'
import type { Page } from 'playwright-core'
import { cpuNanoseconds } from '../load/process-figures.ts'
import { startChromium } from '../servers/chromium.ts'
import { type Server, startServer, unpin } from '../servers/server.ts'
import { bus, type Scenario } from './scenario.ts'

/**
 * The console on its busiest page: a channel with 1,000 messages per second, with the tree beside it, and telemetry and
 * metrics loaded as usual. The cost for the server is the difference that the page makes; the frames show the cost for
 * the page.
 */
const perSecond = 1000
const address = 'busy:place'

export const openConsole: Scenario = {
  name: 'console',
  title: 'the console open on a channel with 1,000 messages per second',
  sides: [bus],
  targets: [
    { figure: 'consolePercent', max: 5 },
    { figure: 'framesPerSecond', min: 30 },
    { figure: 'pageBehindMs', max: 500 },
    { figure: 'firstViewMs', max: 1000 },
  ],
  rounds: 3,
  async measure(side, span) {
    // The page is rendered by the processor: it may use every core.
    unpin()
    const server = await startServer(side.server)
    const ada = await connect({ url: server.endpoint.url, clientId: 'load' })
    const browser = await startChromium()
    const load = publishByTheClock(ada)
    await Bun.sleep(span.warmSeconds * 1000)
    const busyBefore = await busyPercent(server, span.seconds)
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
    const firstViewMs = await firstView(page, server)
    await page.getByText(/^live, /).waitFor()
    await Bun.sleep(span.warmSeconds * 1000)
    const [busyWithPercent, frames] = await Promise.all([
      busyPercent(server, span.seconds),
      page.evaluate<PageFrames>(framesFor(span.seconds * 1000)),
    ])
    const sent = load.sent()
    const pageBehindMs = Math.max(0, ((sent - (await newest(page))) * 1000) / perSecond)
    await page.close()
    await Bun.sleep(1000)
    // Before and after: the runtime's compiler still speeds up the server meanwhile, which is not an effect of the
    // console.
    const busyWithoutPercent = (busyBefore + (await busyPercent(server, span.seconds))) / 2
    load.stop()
    await browser.close()
    await ada.close()
    await server.stop()
    return {
      consolePercent: busyWithPercent - busyWithoutPercent,
      busyWithoutPercent,
      ...frames,
      pageBehindMs,
      firstViewMs,
    }
  },
}

/** The rendering figures of the page. */
type PageFrames = { framesPerSecond: number; longestFrameMs: number }

/** Sends the messages that are due, every few milliseconds. */
function publishByTheClock(client: Client): { sent(): number; stop(): void } {
  const start = performance.now()
  let sent = 0
  const timer = setInterval(() => {
    for (const due = ((performance.now() - start) * perSecond) / 1000; sent < due; sent++) {
      client.publish(address, { n: sent, text: 'on and on it goes, and nobody knows where it ends', list: [1, 2, 3] })
    }
  }, 4)
  return { sent: () => sent, stop: () => clearInterval(timer) }
}

async function busyPercent(server: Server, seconds: number): Promise<number> {
  const [cpu, start] = [cpuNanoseconds(server.pid), Bun.nanoseconds()]
  await Bun.sleep(seconds * 1000)
  return ((cpuNanoseconds(server.pid) - cpu) / (Bun.nanoseconds() - start)) * 100
}

/** The time from requesting the page, before the server has bundled it, until it is connected and shows the channel. */
async function firstView(page: Page, server: Server): Promise<number> {
  const start = performance.now()
  await page.goto(`${server.httpUrl}/#/channels/${encodeURIComponent(address)}`)
  await page.getByText('Connected', { exact: true }).waitFor()
  return performance.now() - start
}

/** The number of the newest message on the page. */
async function newest(page: Page): Promise<number> {
  const text = await page.locator('.messages .row').last().innerText()
  return Number(/\bn\s+(\d+)/.exec(text)?.[1])
}

/** Measures frames for `ms` milliseconds; a text, because it runs in the page, whose types are not known here. */
const framesFor = (ms: number): string => `(async () => {
  const start = performance.now()
  let [frames, longest, last] = [0, 0, start]
  while (last - start < ${ms}) {
    await new Promise(requestAnimationFrame)
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
    frames += 1
  }
  return { framesPerSecond: (frames * 1000) / (last - start), longestFrameMs: longest }
})()`
