import { describe, expect, test } from 'bun:test'
import { eventually, startRedis, withProgram } from '@arqonbus/testing'
import type { Locator, Page } from 'playwright-core'
import { type ConsolePage, createFixture } from './support/fixture.ts'

const PATIENT = { timeout: 120_000 }
const ADMIN_KEY = 'the-admin-key'

const linkTo = (view: string, of: string): string => `#/${view}/${encodeURIComponent(of)}`
const messages = (page: Page, address: string) => page.getByRole('listbox', { name: `Messages of ${address}` })
const joined = (page: Page) => page.getByText(/^live, /).waitFor()

/** Publishes in the channel that the page shows. */
async function say(page: Page, text: string): Promise<void> {
  await page.getByRole('textbox', { name: /^Message to/ }).fill(text)
  await page.getByRole('button', { name: 'Publish' }).click()
}

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

withProgram('chromium', 'the console in a browser', (chromium) => {
  const fixture = createFixture(chromium)
  const clean = ({ faults }: ConsolePage) => expect(faults).toEqual([])

  describe('messages', () => {
    test('two pages see each other’s messages', PATIENT, async () => {
      const bus = await fixture.bus()
      const place = linkTo('channels', 'science:explore')
      const [one, two] = await Promise.all([fixture.open(bus, place), fixture.open(bus, place)])
      await Promise.all([joined(one.page), joined(two.page)])
      await say(one.page, 'hello from one')
      await messages(two.page, 'science:explore').getByText('hello from one').waitFor()
      await one.page.getByText(/^Accepted at \d+-1 \(memory, 2 recipients\)/).waitFor()
      await say(two.page, '{ "answer": 42 }')
      await messages(one.page, 'science:explore').getByText('answer: 42').waitFor()
      clean(one)
      clean(two)
    })

    test('earlier messages are shown above, and older pages follow', PATIENT, async () => {
      const bus = await fixture.bus()
      const ada = await fixture.client(bus, { clientId: 'ada' })
      const published = Array.from({ length: 450 }, (_, i) =>
        ada.publish('science:explore', { n: i + 1 }, { ack: true }),
      )
      await Promise.all(published)
      const { page } = await fixture.open(bus, linkTo('channels', 'science:explore'))
      await page.getByText('live, 200 messages').waitFor()
      await page.getByRole('button', { name: 'Older' }).click()
      await page.getByText('paused at 400 messages').waitFor()
      await page.getByRole('button', { name: 'Older' }).click()
      await page.getByText('paused at 450 messages').waitFor()
      const list = messages(page, 'science:explore')
      await list.press('Home')
      await list.getByText('{ n: 1 }', { exact: true }).waitFor()
      await list.press('End')
      await list.getByText('{ n: 450 }', { exact: true }).waitFor()
    })

    test('a pause freezes the list and shows how many messages have arrived', PATIENT, async () => {
      const bus = await fixture.bus()
      const ada = await fixture.client(bus, { clientId: 'ada' })
      const { page } = await fixture.open(bus, linkTo('channels', 'science:explore'))
      await joined(page)
      await ada.publish('science:explore', { text: 'before' }, { ack: true })
      const list = messages(page, 'science:explore')
      await list.getByText('before').waitFor()
      await page.getByRole('button', { name: 'Pause' }).click()
      for (const text of ['after', 'and after']) await ada.publish('science:explore', { text }, { ack: true })
      await page.getByRole('button', { name: 'Resume (2 new)' }).waitFor()
      expect(await list.getByText('after').count()).toBe(0)
      await page.getByRole('button', { name: 'Resume (2 new)' }).click()
      await list.getByText('and after').waitFor()
    })

    test('a filter shows only matching messages', PATIENT, async () => {
      const bus = await fixture.bus()
      const ada = await fixture.client(bus, { clientId: 'ada' })
      for (const fruit of ['apple', 'pear', 'plum']) await ada.publish('a:b', { fruit }, { ack: true })
      const { page } = await fixture.open(bus, linkTo('channels', 'a:b'))
      const list = messages(page, 'a:b')
      await list.getByText('apple').waitFor()
      await page.getByRole('searchbox', { name: 'Filter messages' }).fill('PEAR')
      await list.getByText('apple').waitFor({ state: 'detached' })
      expect(await list.getByRole('option').count()).toBe(1)
    })

    test('a whole room is shown in one list', PATIENT, async () => {
      const bus = await fixture.bus()
      const ada = await fixture.client(bus, { clientId: 'ada' })
      const { page } = await fixture.open(bus, linkTo('channels', 'science:*'))
      await joined(page)
      await ada.publish('science:one', { text: 'first' }, { ack: true })
      await ada.publish('science:*', { text: 'to all' }, { ack: true })
      const list = messages(page, 'science:*')
      await list.getByText('first').waitFor()
      await list.getByText('to all').waitFor()
    })

    test('a private message reaches one client, and its answer is shown', PATIENT, async () => {
      const bus = await fixture.bus()
      const ada = await fixture.client(bus, { clientId: 'ada' })
      const { page } = await fixture.open(bus, linkTo('clients', 'ada'))
      const heard = new Promise<string>((resolve) => {
        ada.on('message', ({ from, payload }) => {
          ada.private(from, { text: `you said ${payload.text}` })
          resolve(from)
        })
      })
      await page.getByRole('textbox', { name: 'Private message' }).fill('psst')
      await page.getByRole('button', { name: 'Send' }).click()
      await heard
      await page.goto(`${bus.httpUrl}/${linkTo('channels', 'arqonbus:inbox')}`)
      await messages(page, 'arqonbus:inbox').getByText('you said psst').waitFor()
    })
  })

  describe('errors', () => {
    test(
      'a message that the server would refuse is not sent, and the reason is shown at its field',
      PATIENT,
      async () => {
        const bus = await fixture.bus({ maxMessageBytes: 1000 })
        const { page } = await fixture.open(bus, linkTo('channels', 'a:b'))
        await joined(page)
        const box = page.getByRole('textbox', { name: /^Message to/ })
        for (const [text, fault] of [
          ['{ "a": ', 'The payload is not JSON'],
          ['x'.repeat(1000), 'and the bus accepts 1000'],
          [`{"a":${'['.repeat(70)}${']'.repeat(70)}}`, 'nested deeper than the 64 levels'],
        ] as const) {
          await box.fill(text)
          await page.getByText(fault).waitFor()
          expect(await page.getByRole('button', { name: 'Publish' }).isDisabled()).toBe(true)
        }
        await page.getByRole('button', { name: 'More' }).click()
        await box.fill('fine')
        await page.getByRole('textbox', { name: 'Metadata' }).fill('{ "position": "1-1" }')
        await page.getByText('At /metadata/position: expected to be absent: it is set by the bus alone').waitFor()
      },
    )

    test('the error of a command is shown with its code, its text and its field', PATIENT, async () => {
      const bus = await fixture.bus()
      const { page, faults } = await fixture.open(bus, linkTo('commands', 'channel_info'))
      await page.getByLabel('channel', { exact: true }).fill('nowhere:nothing')
      await page.getByRole('button', { name: 'Run channel_info' }).click()
      const refusal = page.getByRole('alert')
      await refusal.getByText('room_not_found').waitFor()
      await refusal.getByText('The room does not exist.').waitFor()
      await page.getByLabel('channel', { exact: true }).fill('no such form!')
      await page.getByRole('button', { name: 'Run channel_info' }).click()
      await page.getByText(/^Expected text of the form/).waitFor()
      expect(await page.getByLabel('channel', { exact: true }).getAttribute('aria-invalid')).toBe('true')
      expect(faults).toEqual([])
    })

    test('a message that the server refuses is marked as refused on the page', PATIENT, async () => {
      const bus = await fixture.bus({ adminKey: ADMIN_KEY })
      const ada = await fixture.client(bus, { clientId: 'ada' })
      await ada.publish('a:b', {}, { ack: true })
      await ada.pauseRoom('a', { admin_key: ADMIN_KEY })
      const { page } = await fixture.open(bus, linkTo('channels', 'a:b'))
      await joined(page)
      await say(page, 'hello')
      await page.getByRole('alert').getByText('room_paused').waitFor()
    })
  })

  describe('commands', () => {
    test('a channel joined by a form is joined again after a restart', PATIENT, async () => {
      const first = await fixture.bus()
      const ports = { port: Number(new URL(first.busUrl).port), httpPort: Number(new URL(first.httpUrl).port) }
      const { page } = await fixture.open(first, linkTo('commands', 'join_channel'))
      await page.getByLabel('room', { exact: true }).fill('science')
      await page.getByLabel('channel', { exact: true }).fill('explore')
      await page.getByRole('button', { name: 'Run join_channel' }).click()
      await page.getByText('Success').waitFor()
      await first.drain('restart')
      const ada = await fixture.client(await fixture.bus(ports), { clientId: 'ada' })
      await eventually(async () => expect((await ada.channelInfo('science:explore')).channel.participant_count).toBe(1))
    })

    test('every command has a form with every parameter', PATIENT, async () => {
      const bus = await fixture.bus()
      const { page } = await fixture.open(bus, '#/commands')
      const { commands } = await import('@arqonbus/protocol')
      for (const { name, parameters } of Object.values(commands)) {
        await page.getByRole('link', { name: new RegExp(`^${name}\\b`) }).click()
        const form = page.getByRole('form', { name })
        await form.waitFor()
        const fields = Object.keys(parameters.properties)
        const countOf = (field: string) => form.getByLabel(new RegExp(`^${field}( required)?$`)).count()
        const found = await Promise.all(fields.map(async (field) => [field, await countOf(field)]))
        expect([name, found]).toEqual([name, fields.map((field) => [field, field === 'admin_key' ? 0 : 1])])
      }
    })

    test('a form does what it shows', PATIENT, async () => {
      const bus = await fixture.bus()
      const { page } = await fixture.open(bus, linkTo('commands', 'create_channel'))
      await page.getByLabel('channel', { exact: true }).fill('labs:one')
      await page.getByLabel('type', { exact: true }).selectOption('private')
      await page.getByLabel('metadata', { exact: true }).fill('{ "members": ["ada"] }')
      await page.getByLabel('options', { exact: true }).fill('{ "history_size": 7 }')
      await page.getByRole('button', { name: 'Run create_channel' }).click()
      await page.getByText('Success').waitFor()
      const ada = await fixture.client(bus, { clientId: 'ada' })
      expect((await ada.channelInfo('labs:one')).channel).toMatchObject({
        type: 'private',
        metadata: { members: ['ada'] },
        options: { history_size: 7 },
      })
    })

    test('a command for admins asks for the key, keeps it out of the URL and then succeeds', PATIENT, async () => {
      const bus = await fixture.bus({ adminKey: ADMIN_KEY })
      const ada = await fixture.client(bus, { clientId: 'ada' })
      await ada.publish('science:explore', {}, { ack: true })
      const shown = await fixture.open(bus, linkTo('channels', 'science'))
      const { page } = shown
      await page.getByRole('button', { name: 'Pause room science' }).click()
      await page.getByRole('alert').getByText('forbidden').waitFor()
      await page.getByRole('button', { name: 'Enter a key or token' }).click()
      await page.getByRole('dialog').getByLabel('Admin key').fill(ADMIN_KEY)
      await page.getByRole('button', { name: 'Use them' }).click()
      await page.getByRole('button', { name: 'Pause room science' }).click()
      await page.getByRole('button', { name: 'Resume room science' }).click()
      await page.getByRole('button', { name: 'Pause room science' }).waitFor()
      expect([page.url(), ...shown.requests].join(' ')).not.toContain(ADMIN_KEY)
      expect(await page.evaluate(() => Object.values(localStorage).join(' '))).not.toContain(ADMIN_KEY)
    })

    test('a client is disconnected once the user has confirmed it', PATIENT, async () => {
      const bus = await fixture.bus({ adminKey: ADMIN_KEY })
      const ada = await fixture.client(bus, { clientId: 'ada' })
      const gone = new Promise<{ code: number; reason: string }>((resolve) => ada.on('disconnected', resolve))
      const { page } = await fixture.open(bus, linkTo('clients', 'ada'))
      await page.getByRole('button', { name: 'Key' }).click()
      await page.getByLabel('Admin key').fill(ADMIN_KEY)
      await page.getByRole('button', { name: 'Use them' }).click()
      await page.getByRole('button', { name: 'Disconnect …' }).click()
      await page.getByLabel('Reason, sent to the client').fill('enough for today')
      await page.getByRole('button', { name: 'Disconnect ada' }).click()
      expect(await gone).toMatchObject({ code: 4411 })
      await page.getByText('ada is not connected.').waitFor()
    })

    test('a wrong token is reported, and another attempt is offered', PATIENT, async () => {
      const bus = await fixture.bus({ adminKey: ADMIN_KEY })
      const shown = await fixture.open(bus)
      const { page } = shown
      await page.getByRole('button', { name: 'Key' }).click()
      await page.getByLabel('Token', { exact: true }).fill('not-the-key')
      await page.getByRole('button', { name: 'Use them' }).click()
      await page.getByRole('dialog').getByText('A valid token is required.').waitFor()
      await page.getByLabel('Token', { exact: true }).fill(ADMIN_KEY)
      await page.getByRole('button', { name: 'Use them' }).click()
      await page.getByText('connected', { exact: true }).waitFor()
      expect([page.url(), ...shown.requests].join(' ')).not.toContain(ADMIN_KEY)
    })
  })

  describe('restarts and outages', () => {
    test('a restart is shown, and the page reconnects by itself', PATIENT, async () => {
      const first = await fixture.bus()
      const ports = { port: Number(new URL(first.busUrl).port), httpPort: Number(new URL(first.httpUrl).port) }
      const { page } = await fixture.open(first, linkTo('channels', 'science:explore'))
      await joined(page)
      await say(page, 'before the restart')
      await first.drain('restart')
      await page.getByText('reconnecting …').waitFor()
      await page.getByText(/^The connection to the bus is lost/).waitFor()
      const second = await fixture.bus(ports)
      await page.getByText('connected', { exact: true }).waitFor()
      await page.getByText(/^The connection to the bus is lost/).waitFor({ state: 'detached' })
      const list = messages(page, 'science:explore')
      await list.getByText('before the restart').waitFor()
      const ada = await fixture.client(second, { clientId: 'ada' })
      await eventually(async () => expect((await ada.channelInfo('science:explore')).channel.participant_count).toBe(1))
      await ada.publish('science:explore', { text: 'after the restart' }, { ack: true })
      await list.getByText('after the restart').waitFor()
    })

    test('the notice of a degraded server is shown and stays when the view changes', PATIENT, async () => {
      const rooms = [
        { name: 'good', channels: [{ name: 'a' }] },
        { name: 'bad name', channels: [] },
      ]
      const bus = await fixture.bus({ bootstrap: 'lenient', rooms: rooms as never })
      expect((await (await fetch(`${bus.httpUrl}/health`)).json()) as object).toMatchObject({ status: 'degraded' })
      const { page } = await fixture.open(bus)
      await page
        .getByRole('alert')
        .getByText(/^The bus is degraded/)
        .waitFor()
      await page.getByRole('link', { name: 'Telemetry' }).click()
      await page
        .getByRole('alert')
        .getByText(/^The bus is degraded/)
        .waitFor()
    })
  })

  withProgram('redis-server', 'with a Redis that becomes unreachable', () => {
    test('a banner is shown while Redis is unreachable and disappears when it is back', PATIENT, async () => {
      await using redis = await startRedis()
      const bus = await fixture.bus({ redisUrl: redis.url })
      const { page } = await fixture.open(bus, linkTo('channels', 'a:b'))
      await joined(page)
      await redis.kill()
      await page
        .getByRole('alert')
        .getByText(/Storage is unreachable/)
        .waitFor()
      await say(page, 'still here')
      await messages(page, 'a:b').getByText('provisional').waitFor()
      await redis.restart()
      await page.getByRole('alert').waitFor({ state: 'detached' })
    })
  })

  describe('live activity', () => {
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
      await page.getByLabel('Type of event').selectOption('pressure')
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
        const rate = list.getByRole('option', { name: new RegExp(`^${id} .*[\\d.]+\\/s frames a second`) })
        await shownWhile(rate, () => {
          for (const client of clients) client.publish('zoo:apes', {})
        })
      }
    })

    test('the overview shows figures and plots', PATIENT, async () => {
      const bus = await fixture.bus()
      const bot = await fixture.client(bus, { clientId: 'bot', clientType: 'ai-agent' })
      const { page } = await fixture.open(bus)
      await page.getByLabel('Figures').getByText('connections').waitFor()
      const plots = page.locator('.plot')
      expect(await plots.getByRole('heading').allInnerTexts()).toEqual([
        'Messages',
        'Connections',
        'Routing',
        'Commands',
        'Event loop lag',
      ])
      await page
        .getByRole('list', { name: 'Connections, by type' })
        .getByText(/ai-agent\s*1/)
        .waitFor()
      await bot.ping()
      await page
        .getByRole('list', { name: 'Commands, ms' })
        .getByText(/p99\s*[\d.]+/)
        .waitFor()
    })
  })
})
