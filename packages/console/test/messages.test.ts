import { expect, test } from 'bun:test'
import { withProgram } from '@arqonbus/testing'
import { createFixture } from './support/fixture.ts'
import { joined, linkTo, messages, PATIENT, say } from './support/page.ts'

withProgram('chromium', 'messages in the console', (chromium) => {
  const fixture = createFixture(chromium)

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
    expect([one.faults, two.faults]).toEqual([[], []])
  })

  test('earlier messages are shown above, and older pages follow', PATIENT, async () => {
    const bus = await fixture.bus()
    const ada = await fixture.client(bus, { clientId: 'ada' })
    const published = Array.from({ length: 450 }, (_, i) => ada.publish('science:explore', { n: i + 1 }, { ack: true }))
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

  test('a page that stays joined receives the messages of a channel while another view is open', PATIENT, async () => {
    const bus = await fixture.bus()
    const ada = await fixture.client(bus, { clientId: 'ada' })
    const { page } = await fixture.open(bus, linkTo('channels', 'a:b'))
    await joined(page)
    await page.getByLabel('Stay joined').check()
    await page.getByRole('link', { name: /^Overview/ }).click()
    await page.getByLabel('Figures').waitFor()
    expect(await ada.publish('a:b', { text: 'meanwhile' }, { ack: true })).toMatchObject({ recipients: 1 })
    await page.goto(`${bus.httpUrl}/${linkTo('channels', 'a:b')}`)
    await messages(page, 'a:b').getByText('meanwhile').waitFor()
    expect(await page.getByLabel('Stay joined').isChecked()).toBe(true)
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
    await page.getByRole('button', { name: 'Send', exact: true }).click()
    await heard
    await page.goto(`${bus.httpUrl}/${linkTo('channels', 'arqonbus:inbox')}`)
    await messages(page, 'arqonbus:inbox').getByText('you said psst').waitFor()
  })
})
