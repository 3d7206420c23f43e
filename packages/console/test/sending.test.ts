import { expect, test } from 'bun:test'
import { eventually, withProgram } from '@arqonbus/testing'
import type { Page, WebSocketRoute } from 'playwright-core'
import { createFixture } from './support/fixture.ts'
import { joined, linkTo, messages, PATIENT, say } from './support/page.ts'

/** The connection between the page and the bus, which a test can hold or cut. */
type Line = {
  /** Holds frames of the bus back until the returned function is called. */
  hold(): () => void
  /** Ends the connection; the page cannot reconnect before `restore`. */
  cut(): Promise<void>
  restore(): void
}

/** Puts itself between a page and the bus. */
async function intercept(page: Page): Promise<Line> {
  let held: (string | Buffer)[] | undefined
  let isCut = false
  const open = new Set<WebSocketRoute>()
  await page.routeWebSocket(/.*/, (socket) => {
    if (isCut) return void socket.close({ code: 1001 })
    const bus = socket.connectToServer()
    open.add(socket)
    socket.onMessage((frame) => {
      if (!isCut) bus.send(frame)
    })
    bus.onMessage((frame) => {
      if (isCut) return
      if (held === undefined) socket.send(frame)
      else held.push(frame)
    })
  })
  return {
    hold() {
      held = []
      return () => {
        const frames = held ?? []
        held = undefined
        for (const frame of frames) for (const socket of open) socket.send(frame)
      }
    },
    async cut() {
      held = undefined
      isCut = true
      for (const socket of open) await socket.close({ code: 1001 })
      open.clear()
    },
    restore() {
      isCut = false
    },
  }
}

withProgram('chromium', 'drafts and messages on their way in the console', (chromium) => {
  const fixture = createFixture(chromium)
  const place = linkTo('channels', 'science:explore')
  const box = (page: Page) => page.getByRole('textbox', { name: /^Message to/ })
  const onTheirWay = (page: Page) => page.getByRole('list', { name: 'Messages on their way' })

  async function openWithLine() {
    const bus = await fixture.bus()
    // Of its own, because what is put between a page and the bus stays.
    const { page } = await fixture.open(bus, '', {})
    const line = await intercept(page)
    await page.goto(`${bus.httpUrl}/${place}`)
    await page.reload()
    await joined(page)
    return { bus, page, line }
  }

  test('a draft is kept for each channel, over another view and a reload', PATIENT, async () => {
    const bus = await fixture.bus()
    const { page } = await fixture.open(bus, place)
    await joined(page)
    await box(page).fill('half a thought')
    await page.goto(`${bus.httpUrl}/${linkTo('channels', 'ops:alerts')}`)
    await page.getByRole('textbox', { name: 'Message to ops:alerts' }).fill('another one')
    await page.getByRole('link', { name: /^Overview/ }).click()
    await page.goto(`${bus.httpUrl}/${place}`)
    await page.getByRole('textbox', { name: 'Message to science:explore' }).waitFor()
    expect(await box(page).inputValue()).toBe('half a thought')
    await page.reload()
    await joined(page)
    expect(await box(page).inputValue()).toBe('half a thought')
    await page.goto(`${bus.httpUrl}/${linkTo('channels', 'ops:alerts')}`)
    await page.getByRole('textbox', { name: 'Message to ops:alerts' }).waitFor()
    expect(await box(page).inputValue()).toBe('another one')
  })

  test('what is typed while a message waits for its acknowledgement stays', PATIENT, async () => {
    const { page, line } = await openWithLine()
    const release = line.hold()
    await say(page, 'the first')
    await onTheirWay(page).getByText('the first').waitFor()
    expect(await box(page).inputValue()).toBe('')
    await box(page).fill('the second')
    release()
    await messages(page, 'science:explore').getByText('the first').waitFor()
    await onTheirWay(page).waitFor({ state: 'detached' })
    expect(await box(page).inputValue()).toBe('the second')
  })

  test('a message sent three times while the connection is cut arrives once', PATIENT, async () => {
    const { bus, page, line } = await openWithLine()
    await line.cut()
    await page.getByText('Disconnected', { exact: true }).waitFor()
    await box(page).fill('once, please')
    for (let times = 0; times < 3; times++) await box(page).press('Control+Enter')
    await onTheirWay(page).getByText('once, please').waitFor()
    expect(await onTheirWay(page).getByRole('listitem').count()).toBe(1)
    line.restore()
    await page.getByText('Connected', { exact: true }).waitFor()
    await onTheirWay(page).waitFor({ state: 'detached' })
    await messages(page, 'science:explore').getByText('once, please').waitFor()
    const ada = await fixture.client(bus, { clientId: 'ada' })
    expect((await ada.history('science:explore')).messages.map(({ payload }) => payload)).toEqual([
      { text: 'once, please' },
    ])
  })

  test('a message whose acknowledgement is lost with the connection arrives once', PATIENT, async () => {
    const { bus, page, line } = await openWithLine()
    const ada = await fixture.client(bus, { clientId: 'ada' })
    line.hold()
    await say(page, 'did it arrive?')
    const published = async () => (await ada.history('science:explore')).messages.length
    await eventually(async () => expect(await published()).toBe(1))
    await line.cut()
    // While no connection is possible: afterwards the page reconnects as the same client.
    await page.getByRole('button', { name: 'Connect now' }).click()
    await onTheirWay(page).getByText('did it arrive?').waitFor()
    line.restore()
    await page.getByText('Connected', { exact: true }).waitFor()
    await onTheirWay(page).waitFor({ state: 'detached' })
    expect(await published()).toBe(1)
  })

  test('a message that is refused can be edited and sent again', PATIENT, async () => {
    const bus = await fixture.bus({ adminKey: 'the-admin-key' })
    const ada = await fixture.client(bus, { clientId: 'ada' })
    await ada.publish('a:b', {}, { ack: true })
    await ada.pauseRoom('a', { admin_key: 'the-admin-key' })
    const { page } = await fixture.open(bus, linkTo('channels', 'a:b'))
    await joined(page)
    await say(page, 'hello')
    await onTheirWay(page).getByText('room_paused').waitFor()
    await ada.resumeRoom('a', { admin_key: 'the-admin-key' })
    await page.getByRole('button', { name: 'Edit' }).click()
    expect(await box(page).inputValue()).toBe('hello')
    await say(page, 'hello again')
    await messages(page, 'a:b').getByText('hello again').waitFor()
    expect(await onTheirWay(page).count()).toBe(0)
  })
})
