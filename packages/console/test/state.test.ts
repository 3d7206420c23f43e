import { expect, test } from 'bun:test'
import { eventually, withProgram } from '@arqonbus/testing'
import type { Page } from 'playwright-core'
import { createFixture } from './support/fixture.ts'
import { joined, linkTo, PATIENT } from './support/page.ts'

withProgram('chromium', 'the state of the bus in the console', (chromium) => {
  const fixture = createFixture(chromium)
  const badge = async (page: Page, view: string) =>
    (
      await page
        .getByRole('link', { name: new RegExp(`^${view}`) })
        .locator('em')
        .innerText()
    ).trim()

  test('the counts of the navigation, the overview and the lists are the same', PATIENT, async () => {
    const bus = await fixture.bus()
    for (const clientId of ['ada', 'bob']) await fixture.client(bus, { clientId, join: ['a:b', `c:${clientId}`] })
    for (const clientId of ['bot-1', 'bot-2']) await fixture.client(bus, { clientId, clientType: 'ai-agent' })
    const { page } = await fixture.open(bus)
    await page
      .getByLabel('Figures')
      .getByRole('link', { name: /^Connections 5/ })
      .waitFor()
    expect([await badge(page, 'Channels'), await badge(page, 'Clients'), await badge(page, 'Agents')]).toEqual([
      '7',
      '5',
      '2',
    ])
    await page.goto(`${bus.httpUrl}/#/clients`)
    await page.getByText('5 connected', { exact: true }).waitFor()
    const clients = page.getByRole('listbox', { name: 'Connected clients' }).getByRole('option')
    await clients.nth(4).waitFor()
    expect(await clients.count()).toBe(5)
    await page.goto(`${bus.httpUrl}/#/channels`)
    await page.getByText('4 rooms, 7 channels', { exact: true }).waitFor()
    await page.goto(`${bus.httpUrl}/#/agents`)
    await page.getByRole('heading', { name: /^2 agents are connected/ }).waitFor()
    await page.getByRole('listbox', { name: 'Agents' }).getByRole('option').nth(1).waitFor()
    expect(await page.getByRole('listbox', { name: 'Agents' }).getByRole('option').count()).toBe(2)
  })

  test('an agent that has done nothing since the page was opened is listed', PATIENT, async () => {
    const bus = await fixture.bus()
    await fixture.client(bus, { clientId: 'bot-7', clientType: 'ai-agent', screenName: 'Planner' })
    const { page } = await fixture.open(bus, '#/agents')
    await page.getByRole('option', { name: /^Planner quiet/ }).waitFor()
  })

  test('title, badges and verdict show when the connection was lost, and why', PATIENT, async () => {
    const bus = await fixture.bus()
    const { page } = await fixture.open(bus)
    await page.getByRole('heading', { name: /^The bus works/ }).waitFor()
    expect(await page.title()).toBe('Overview · ArqonBus')
    await bus.drain('restart')
    const note = page.getByRole('alert')
    await note.getByText(/^Disconnected at \d\d:\d\d:\d\d\.$/).waitFor()
    await note.getByText(/close code 1012/).waitFor()
    await page.getByRole('heading', { name: /^No connection\. These figures are from \d\d:\d\d:\d\d\.$/ }).waitFor()
    expect(await page.title()).toBe('Disconnected · ArqonBus')
    expect([await badge(page, 'Channels'), await badge(page, 'Clients')]).toEqual(['–', '–'])
  })

  test('a page that cannot reach the bus shows the likely reason', PATIENT, async () => {
    const bus = await fixture.bus({ consoleBusUrl: 'ws://127.0.0.1:9/' })
    const { page } = await fixture.openAnyhow(bus)
    await page
      .getByRole('alert')
      .getByText(/^Ws:\/\/127\.0\.0\.1:9\/ did not accept a WebSocket, while the HTTP port answers/i)
      .waitFor()
    await page.getByRole('heading', { name: 'No connection. Nothing is known of the bus.' }).waitFor()
  })

  test('a page whose request for figures is refused shows the status', PATIENT, async () => {
    const bus = await fixture.bus()
    const { page } = await fixture.open(bus, '', {})
    await page.route('**/api/v1/series', (route) => route.fulfill({ status: 429 }))
    await page.reload()
    await page.getByText('The HTTP port refuses the figures (HTTP 429).').waitFor()
    await page.unroute('**/api/v1/series')
    await page.getByText(/^The HTTP port/).waitFor({ state: 'detached' })
  })

  test('a channel that was live shows since when it is not', PATIENT, async () => {
    const bus = await fixture.bus()
    const { page } = await fixture.open(bus, linkTo('channels', 'a:b'))
    await joined(page)
    await bus.drain('restart')
    await page.getByText(/^stopped at \d\d:\d\d:\d\d$/).waitFor()
  })

  test('a page that cannot read telemetry shows why, and offers to change the token', PATIENT, async () => {
    const bus = await fixture.bus({ maxSubscriptions: 1 })
    const { page } = await fixture.open(bus, '#/telemetry')
    await page.getByRole('heading', { name: 'Telemetry cannot be read' }).waitFor()
    await page.getByRole('alert').getByText('The client has reached its maximum of subscriptions.').waitFor()
    await page.getByRole('button', { name: 'Change token' }).click()
    await page.getByRole('dialog').getByLabel('Token', { exact: true }).waitFor()
  })

  test('a room is listed and described even if the bus has more than a hundred', PATIENT, async () => {
    const rooms = Array.from({ length: 150 }, (_, n) => ({ name: `room-${n}`, channels: [] }))
    const bus = await fixture.bus({ rooms })
    const { page } = await fixture.open(bus, '#/channels')
    await page.getByText('152 rooms, 4 channels', { exact: true }).waitFor()
    await page.getByLabel('Filter channels').fill('room-149')
    await page.getByRole('treeitem', { name: /^Room room-149/ }).click()
    const pane = page.getByRole('region', { name: 'room-149', exact: true })
    await pane.getByText('system', { exact: true }).waitFor()
    await pane.getByText('active', { exact: true }).waitFor()
  })

  test('lists are asked for only where they are open', PATIENT, async () => {
    const bus = await fixture.bus()
    const { page } = await fixture.open(bus, '', {})
    const asked: string[] = []
    const statusParameters: unknown[] = []
    await page.routeWebSocket(/.*/, (socket) => {
      const server = socket.connectToServer()
      socket.onMessage((frame) => {
        const { type, payload } = JSON.parse(String(frame)) as {
          type: string
          payload: { name?: string; parameters?: unknown }
        }
        if (type === 'command' && payload.name !== undefined) asked.push(payload.name)
        if (payload.name === 'status') statusParameters.push(payload.parameters)
        server.send(frame)
      })
    })
    await page.goto(`${bus.httpUrl}/#/commands`)
    await page.reload()
    await page.getByText('Connected', { exact: true }).waitFor()
    // After the first questions of a page, the state of the bus is all that it asks for.
    const times = (name: string) => asked.filter((one) => one === name).length
    await eventually(async () => expect(times('status')).toBeGreaterThan(1))
    asked.splice(0)
    await eventually(async () => expect(times('status')).toBeGreaterThan(2))
    expect([...new Set(asked)]).toEqual(['status'])
    for (const parameters of statusParameters) expect(parameters).toEqual({ lists: false })
    await page.getByRole('link', { name: /^Clients/ }).click()
    await eventually(async () => expect(times('list_clients')).toBeGreaterThan(0))
  })

  test('the first view takes less than 150 KiB', PATIENT, async () => {
    const bus = await fixture.bus()
    const { page } = await fixture.open(bus, '', {})
    await page.getByLabel('Figures').waitFor()
    const taken = await page.evaluate(() =>
      [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].reduce(
        (sum, entry) => sum + (entry as PerformanceResourceTiming).transferSize,
        0,
      ),
    )
    expect(taken).toBeWithin(10_000, 150 * 1024)
  })
})
