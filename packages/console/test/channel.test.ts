import { expect, test } from 'bun:test'
import { withProgram } from '@arqonbus/testing'
import { createFixture } from './support/fixture.ts'
import { joined, linkTo, messages, PATIENT } from './support/page.ts'

const ADMIN_KEY = 'the-admin-key'

withProgram('chromium', 'a channel in the console', (chromium) => {
  const fixture = createFixture(chromium)

  test(
    'a payload with a text reads as a line of a conversation, with its other fields beside it',
    PATIENT,
    async () => {
      const bus = await fixture.bus()
      const ada = await fixture.client(bus, { clientId: 'ada' })
      await ada.publish('a:b', { text: 'Latency report', region: 'eu', p99_ms: 4180, nested: { x: 1 } }, { ack: true })
      await ada.publish('a:b', { kind: 'metric', value: 7 }, { ack: true })
      const { page } = await fixture.open(bus, linkTo('channels', 'a:b'))
      const list = messages(page, 'a:b')
      await list.getByText('Latency report', { exact: true }).waitFor()
      for (const field of ['region eu', 'p99_ms 4180', 'nested { x: 1 }'])
        await list.getByText(field, { exact: true }).waitFor()
      await list.getByText('{ kind: "metric", value: 7 }', { exact: true }).waitFor()
    },
  )

  test('a message can be read and copied as text, as JSON, and with its envelope', PATIENT, async () => {
    const bus = await fixture.bus()
    const ada = await fixture.client(bus, { clientId: 'ada' })
    const { id } = await ada.publish('a:b', { text: 'Hello\nyou', n: 1 }, { ack: true })
    const permissions = ['clipboard-read', 'clipboard-write']
    const { page } = await fixture.open(bus, linkTo('channels', 'a:b'), { permissions })
    await messages(page, 'a:b').getByText('Hello').click()
    const pane = page.getByRole('region', { name: 'Message', exact: true })
    const copied = async (button: string) => {
      await pane.getByRole('button', { name: button, exact: true }).click()
      await pane.getByRole('button', { name: 'Copied' }).waitFor()
      const text = await page.evaluate(() => navigator.clipboard.readText())
      await pane.getByRole('button', { name: button, exact: true }).waitFor()
      return text
    }
    expect(JSON.parse(await copied('Copy'))).toEqual({ text: 'Hello\nyou', n: 1 })
    await pane.getByRole('button', { name: 'Read' }).click()
    expect(await copied('Copy')).toBe('Hello\nyou')
    await pane.getByRole('button', { name: 'Envelope' }).click()
    expect(JSON.parse(await copied('Copy'))).toMatchObject({ id, from: 'ada', payload: { n: 1 } })
    await pane.getByText(id, { exact: true }).waitFor()
    const link = await copied('Copy link')
    await page.goto('about:blank')
    await page.goto(link)
    await pane.getByText(id, { exact: true }).waitFor()
  })

  test('the participants and options of a channel are shown', PATIENT, async () => {
    const bus = await fixture.bus()
    const ada = await fixture.client(bus, { clientId: 'ada', screenName: 'Ada Lovelace' })
    await ada.createChannel('a:b', { options: { history_size: 7, max_participants: 9 } })
    await ada.join('a:b')
    await fixture.client(bus, { clientId: 'bot', clientType: 'ai-agent', join: ['a:*'] })
    const { page } = await fixture.open(bus, linkTo('channels', 'a:b'))
    const people = page.getByRole('region', { name: 'Participants' })
    await people.getByRole('link', { name: 'Ada Lovelace' }).waitFor()
    await people.getByText('2, and 1 by a:*', { exact: true }).waitFor()
    const options = page.getByRole('region', { name: 'Options' })
    await options.getByText('at most 7 messages', { exact: true }).waitFor()
    await options.getByText('at most 9', { exact: true }).waitFor()
    await options.getByText(/\d{4}, \d\d:\d\d:\d\d\.\d{3} \S+ by ada/).waitFor()
  })

  test('a channel is deleted once nobody else is in it and its name was typed', PATIENT, async () => {
    const bus = await fixture.bus({ adminKey: ADMIN_KEY })
    const ada = await fixture.client(bus, { clientId: 'ada', join: ['a:b', 'a:other'] })
    await ada.publish('a:b', { text: 'the last words' }, { ack: true })
    const { page } = await fixture.open(bus, linkTo('channels', 'a:b'))
    await joined(page)
    await page.getByRole('button', { name: 'Delete channel', description: 'Needs the admin key' }).click()
    await page.getByLabel('Admin key').fill(ADMIN_KEY)
    await page.getByRole('button', { name: 'Use them' }).click()
    await page.getByRole('button', { name: 'Delete channel' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText(/^1 other participant is in it/).waitFor()
    await dialog.getByLabel('Type a:b to confirm').fill('a:b')
    expect(await dialog.getByRole('button', { name: 'Delete a:b' }).isDisabled()).toBe(true)
    await ada.leave('a:b')
    await dialog.getByText(/^Nobody else is in it/).waitFor()
    await dialog.getByRole('button', { name: 'Delete a:b' }).click()
    await page.getByText('Choose a channel to read it, or a room.').waitFor()
    expect(await ada.channelInfo('a:b').catch(({ code }) => code)).toBe('channel_not_found')
  })
})
