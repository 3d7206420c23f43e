/**
 * Makes `docs/guide/console.webp`: the console, in Chromium, on a bus with people, agents and services. Run it by
 * `npm run bun -- scripts/console-picture.ts` when the page looks different.
 */
import { join } from 'node:path'
import { type Client, type ClientOptions, connect } from '@arqonbus/client'
import { consoleFiles } from '@arqonbus/console'
import { startServer, testConfig } from '@arqonbus/server'
import { chromiumFlags, findProgram } from '@arqonbus/testing'
import { chromium } from 'playwright-core'

const ADDRESS = 'science:explore'
const size = { width: 1400, height: 860 }
const QUALITY = 0.7

const bus = await startServer({ config: testConfig(), consoleFiles })
const browser = await chromium.launch({ executablePath: findProgram('chromium')!, args: [...chromiumFlags] })
const clients = await connectAll()
const load = [
  publishEvery(40, clients.indexer, 'ops:events'),
  publishEvery(500, clients.coder, 'work:tasks'),
  publishEvery(500, clients.grace, 'lobby:chat'),
]
await talk()
const page = await browser.newPage({ viewport: size, colorScheme: 'light' })
await page.goto(`${bus.httpUrl}/#/channels/${encodeURIComponent(ADDRESS)}`)
await page.getByText(/^live, /).waitFor()
// Rates are measured every ten seconds.
await page
  .getByRole('treeitem', { name: /^events/ })
  .getByText(/\d\d\/s/)
  .waitFor()
await page.getByText('The deploy of 09:12').click()
await page.getByRole('button', { name: 'JSON' }).click()
const bytes = await webpOf(await page.screenshot())
await Bun.write(join(import.meta.dir, '../docs/guide/console.webp'), bytes)
console.log(`docs/guide/console.webp: ${bytes.length} bytes`)

for (const timer of load) clearInterval(timer)
await browser.close()
await bus.drain('the picture is made')

/** Everybody in the picture. */
async function connectAll() {
  const as = (clientId: string, profile: Partial<ClientOptions> = {}) =>
    connect({ url: bus.busUrl, clientId, ...profile })
  const ada = await as('ada', { screenName: 'Ada Lovelace' })
  const grace = await as('grace', { screenName: 'Grace Hopper' })
  const planner = await as('planner', { clientType: 'ai-agent', screenName: 'Planner' })
  const coder = await as('coder', { clientType: 'ai-agent' })
  const indexer = await as('search-indexer', { clientType: 'service' })
  for (const client of [ada, grace, planner, coder, indexer]) await client.join(ADDRESS)
  const wall = await as('wall', { clientType: 'dashboard', screenName: 'Operations wall' })
  await wall.join('ops:events')
  await wall.join('ops:deploys')
  for (const client of [planner, coder]) await client.join('work:tasks')
  await ada.join('lobby:chat')
  await grace.createChannel('support:escalations', { type: 'private' })
  return { ada, grace, planner, coder, indexer }
}

/** The conversation in the picture; each message answers one before. */
async function talk(): Promise<void> {
  const { ada, grace, planner, coder, indexer } = clients
  const say = async (client: Client, payload: object, cause?: string) => {
    const id = `arq_${crypto.randomUUID().replaceAll('-', '')}`
    await client.publish(ADDRESS, payload, { id, ack: true, ...(cause && { metadata: { cause } }) })
    return id
  }
  const asked = await say(ada, { text: 'Checkout has been slow since this morning. Can somebody find out why?' })
  await say(ada, { text: 'It is worst in Frankfurt.' })
  await say(indexer, { text: 'Latency report', region: 'eu-central', p50_ms: 212, p99_ms: 4180, samples: 18_204 })
  const planned = await say(
    planner,
    { text: 'I will compare the slow requests with this morning’s deploy and ask coder to read the change.' },
    asked,
  )
  const found = await say(
    coder,
    {
      text: 'The deploy of 09:12 added a second query per cart line. It runs without an index.',
      commit: '4f1c9e2',
      query: 'cart_lines_by_sku',
      calls: 31,
      mean_ms: 118,
    },
    planned,
  )
  await say(
    grace,
    { text: 'That matches what I see. Adding the index takes about four minutes on the replica.' },
    found,
  )
  await say(indexer, { kind: 'metrics', list: [1, 2, 3], nested: { a: { b: null } }, ok: true })
}

/** Publishes again and again. */
function publishEvery(ms: number, client: Client, address: string) {
  return setInterval(() => void client.publish(address, { text: 'tick' }), ms)
}

/** A picture as WebP: Chromium encodes it. */
async function webpOf(png: Buffer): Promise<Buffer> {
  const drawing = await browser.newPage()
  const url = `data:image/png;base64,${png.toString('base64')}`
  const data = await drawing.evaluate<string>(`(async () => {
    const image = new Image()
    image.src = '${url}'
    await image.decode()
    const canvas = document.createElement('canvas')
    canvas.width = image.naturalWidth
    canvas.height = image.naturalHeight
    canvas.getContext('2d').drawImage(image, 0, 0)
    return canvas.toDataURL('image/webp', ${QUALITY})
  })()`)
  return Buffer.from(data.slice(data.indexOf(',') + 1), 'base64')
}
