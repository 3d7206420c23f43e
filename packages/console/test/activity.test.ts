import { expect, test } from 'bun:test'
import { eventually, withProgram } from '@arqonbus/testing'
import type { Locator } from 'playwright-core'
import { createFixture } from './support/fixture.ts'
import { PATIENT } from './support/page.ts'

/**
 * Waits for an element that shows only during some activity, such as a rate, and repeats the activity until it shows.
 */
async function shownWhile(what: Locator, act: () => unknown): Promise<void> {
  const timer = setInterval(act, 100)
  try {
    await what.waitFor()
  } finally {
    clearInterval(timer)
  }
}

withProgram('chromium', 'live activity in the console', (chromium) => {
  const fixture = createFixture(chromium)

  test('channels and their participants are shown as they come and go', PATIENT, async () => {
    const bus = await fixture.bus()
    const { page } = await fixture.open(bus, '#/channels')
    const tree = page.getByRole('tree', { name: 'Rooms and channels' })
    await tree.getByRole('treeitem', { name: /^Room arqonbus/ }).waitFor()
    const ada = await fixture.client(bus, { clientId: 'ada', join: ['zoo:apes'] })
    await tree.getByRole('treeitem', { name: /^apes 1 participant$/ }).waitFor()
    const rate = tree.getByRole('treeitem', { name: /^apes [\d.]+\/s messages a second 1 participant$/ })
    await shownWhile(rate, () => ada.publish('zoo:apes', {}))
  })

  test('telemetry events are shown as they arrive, by type', PATIENT, async () => {
    const bus = await fixture.bus()
    const service = await fixture.client(bus, { clientId: 'meter', clientType: 'service' })
    const { page } = await fixture.open(bus, '#/telemetry')
    await eventually(async () =>
      expect((await service.channelInfo('integriguard:telemetry-stream')).channel.participant_count).toBe(1),
    )
    service.telemetry('temperature', { celsius: 21 })
    service.telemetry('pressure', { hpa: 1013 })
    const list = page.getByRole('listbox', { name: 'Telemetry events' })
    await list.getByText('celsius: 21').waitFor()
    await page.getByRole('checkbox', { name: /^pressure/ }).check()
    await list.getByText('celsius: 21').waitFor({ state: 'detached' })
    await list.getByText('hpa: 1013').waitFor()
  })

  test('the activity of agents is shown by agent and in order', PATIENT, async () => {
    const bus = await fixture.bus()
    const service = await fixture.client(bus, { clientId: 'meter', clientType: 'service' })
    const { page } = await fixture.open(bus, '#/agents')
    await eventually(async () =>
      expect((await service.channelInfo('integriguard:dashboard-events')).channel.participant_count).toBe(1),
    )
    // An event of a client about an agent is no activity: any client may send it.
    service.telemetry('agent_activity', { client_id: 'nobody', screen_name: 'Nobody', activity: 'message' })
    const agent = {
      clientId: 'bot-7',
      clientType: 'ai-agent',
      screenName: 'Planner',
      join: ['science:explore'],
    } as const
    const bot = await fixture.client(bus, agent)
    await page.getByRole('option', { name: /^Planner joined science:explore/ }).waitFor()
    await bot.publish('science:explore', { text: 'on it' })
    await page.getByRole('option', { name: /^Planner message science:explore/ }).waitFor()
    const log = page.getByRole('listbox', { name: 'Activity of agents' })
    expect(await log.getByRole('option').allInnerTexts()).toEqual([
      expect.stringMatching(/Planner\s+message\s+science:explore/),
      expect.stringMatching(/Planner\s+joined\s+science:explore/),
      // A client joins by a command.
      expect.stringMatching(/Planner\s+command/),
      expect.stringMatching(/Planner\s+connected/),
    ])
  })

  test('message rates are shown by client, even if several publish to one channel', PATIENT, async () => {
    const bus = await fixture.bus()
    const { page } = await fixture.open(bus, '#/clients')
    const list = page.getByRole('listbox', { name: 'Connected clients' })
    const ids = ['ada', 'bob']
    const clients = await Promise.all(ids.map((clientId) => fixture.client(bus, { clientId })))
    for (const id of ids) {
      const rate = list.getByRole('option', { name: new RegExp(`^${id} .*[\\d.]+\\/s messages a second`) })
      await shownWhile(rate, () => {
        for (const client of clients) client.publish('zoo:apes', {})
      })
    }
  })

  test('the overview shows figures and plots', PATIENT, async () => {
    const bus = await fixture.bus()
    await fixture.client(bus, { clientId: 'bot', clientType: 'ai-agent' })
    const { page } = await fixture.open(bus)
    const figures = page.getByLabel('Figures')
    await figures.getByRole('link', { name: /^Connections \d/ }).waitFor()
    const charts = page.locator('figure')
    expect(await charts.getByRole('heading').allInnerTexts()).toEqual([
      'Messages in',
      'Deliveries out',
      'Connections',
      'Event loop delay',
    ])
    await charts
      .filter({ has: page.getByRole('heading', { name: 'Connections' }) })
      .getByText(/agent\s*1/)
      .waitFor()
    await page.getByRole('img', { name: /^Messages in, last 15 minutes/ }).waitFor()
  })
})
