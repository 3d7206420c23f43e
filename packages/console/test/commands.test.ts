import { expect, test } from 'bun:test'
import { eventually, withProgram } from '@arqonbus/testing'
import { createFixture } from './support/fixture.ts'
import { linkTo, PATIENT } from './support/page.ts'

const ADMIN_KEY = 'the-admin-key'

withProgram('chromium', 'commands in the console', (chromium) => {
  const fixture = createFixture(chromium)

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
    await page.getByRole('button', { name: 'Pause room science', description: 'Needs the admin key' }).click()
    await page.getByRole('dialog').getByText('“Pause room science” needs the admin key of the bus.').waitFor()
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
    await page.getByRole('button', { name: 'Key', exact: true }).click()
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
    await page.getByRole('button', { name: 'Key', exact: true }).click()
    await page.getByLabel('Token', { exact: true }).fill('not-the-key')
    await page.getByRole('button', { name: 'Use them' }).click()
    await page.getByRole('dialog').getByText('A valid token is required.').waitFor()
    await page.getByLabel('Token', { exact: true }).fill(ADMIN_KEY)
    await page.getByRole('button', { name: 'Use them' }).click()
    await page.getByText('Connected', { exact: true }).waitFor()
    expect([page.url(), ...shown.requests].join(' ')).not.toContain(ADMIN_KEY)
  })
})
