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

  withProgram('curl', 'with curl', (curl) => {
    test('a form copied as curl does the same in a terminal, and shows no key', PATIENT, async () => {
      const bus = await fixture.bus({ adminKey: ADMIN_KEY })
      const permissions = ['clipboard-read', 'clipboard-write']
      const { page } = await fixture.open(bus, linkTo('commands', 'create_channel'), { permissions })
      const copied = async () => {
        await page.getByRole('button', { name: 'Copy as curl' }).click()
        await page.getByRole('button', { name: 'Copied' }).waitFor()
        return page.evaluate(() => navigator.clipboard.readText())
      }
      await page.getByLabel('channel', { exact: true }).fill('labs:one')
      await page.getByLabel('metadata', { exact: true }).fill('{ "note": "it\'s $HOME \\\\ \\"here\\"" }')
      const line = (await copied()).replace(/^curl/, `'${curl}' --silent`)
      const child = Bun.spawn(['sh', '-c', line], { stdout: 'pipe' })
      expect(await new Response(child.stdout).json()).toMatchObject({ channel: { name: 'one', room: 'labs' } })
      const ada = await fixture.client(bus, { clientId: 'ada' })
      expect((await ada.channelInfo('labs:one')).channel.metadata).toEqual({ note: 'it\'s $HOME \\ "here"' })

      await page.getByRole('button', { name: 'Key', exact: true }).click()
      await page.getByRole('dialog').getByLabel('Admin key').fill(ADMIN_KEY)
      await page.getByRole('button', { name: 'Use them' }).click()
      await page.getByRole('link', { name: /^pause_room\b/ }).click()
      await page.getByRole('form', { name: 'pause_room' }).waitFor()
      await page.getByRole('button', { name: 'Copied' }).waitFor({ state: 'detached' })
      const forAdmins = await copied()
      expect(forAdmins).toContain("-H 'authorization: Bearer …'")
      expect(forAdmins).not.toContain(ADMIN_KEY)
    })
  })

  test('"Go to" opens a channel, a client or a command by a part of its name', PATIENT, async () => {
    const bus = await fixture.bus()
    const ada = await fixture.client(bus, { clientId: 'ada', screenName: 'Countess Lovelace' })
    await ada.publish('science:explore', {}, { ack: true })
    const { page } = await fixture.open(bus)
    const search = page.getByRole('searchbox', { name: 'A part of a name' })
    const goals = page.getByRole('listbox', { name: 'Places' })
    const goTo = async (text: string, goal: string) => {
      await page.keyboard.press('Control+k')
      await search.fill(text)
      await goals.getByRole('option').getByText(goal, { exact: true }).waitFor()
      expect(await goals.getByRole('option').count()).toBe(1)
      await search.press('Enter')
      await search.waitFor({ state: 'detached' })
      return new URL(page.url()).hash
    }
    expect(await goTo('EXPLO', 'science:explore')).toBe(linkTo('channels', 'science:explore'))
    expect(await goTo('lovelace', 'ada')).toBe(linkTo('clients', 'ada'))
    expect(await goTo('disconnect', 'disconnect_client')).toBe(linkTo('commands', 'disconnect_client'))
    expect(await goTo('new:place', 'new:place')).toBe(linkTo('channels', 'new:place'))
    await page.keyboard.press('Control+k')
    await search.fill('nothing like this')
    await page.getByText('Nothing has this name.').waitFor()
    // As in any search field, Escape first clears what is typed.
    await search.press('Escape')
    expect(await search.inputValue()).toBe('')
    await search.press('Escape')
    await search.waitFor({ state: 'detached' })
    expect(new URL(page.url()).hash).toBe(linkTo('channels', 'new:place'))
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
