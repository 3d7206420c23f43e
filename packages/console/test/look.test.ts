import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { withProgram } from '@arqonbus/testing'
import type { Page } from 'playwright-core'
import { createFixture } from './support/fixture.ts'
import { PATIENT } from './support/page.ts'

const axeSource = readFileSync(Bun.resolveSync('axe-core/axe.min.js', import.meta.dir), 'utf8')

const views = [
  '#/overview',
  '#/channels/science%3Aexplore',
  '#/channels/science',
  '#/clients/ada',
  '#/agents',
  '#/telemetry',
  '#/commands/create_channel',
  '#/clients',
  '#/more',
] as const

/** The serious and critical violations that axe reports: the rule, and the element. */
async function seriousFaults(page: Page): Promise<string[]> {
  await page.evaluate(axeSource)
  return page.evaluate(async () => {
    type Finding = { id: string; impact: string; nodes: { target: string[]; failureSummary: string }[] }
    const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: Finding[] }> } }
    const { violations } = await axe.run()
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`))
  })
}

/** The placeholders of search fields that do not fit into them. */
const cutPlaceholders = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const context = document.createElement('canvas').getContext('2d')!
    return [...document.querySelectorAll<HTMLInputElement>('input[type=search]')]
      .filter((field) => {
        const { font, paddingLeft, paddingRight } = getComputedStyle(field)
        context.font = font
        const width = field.clientWidth - Number.parseFloat(paddingLeft) - Number.parseFloat(paddingRight)
        return field.checkVisibility() && context.measureText(field.placeholder).width > width
      })
      .map(({ placeholder }) => placeholder)
  })

withProgram('chromium', 'the appearance of the console', (chromium) => {
  const fixture = createFixture(chromium)

  /** A bus with rooms, messages and clients to see. */
  async function livelyBus() {
    const bus = await fixture.bus()
    const ada = await fixture.client(bus, {
      clientId: 'ada',
      screenName: 'Ada',
      join: ['science:explore', 'ops:alerts'],
    })
    await ada.publish('science:explore', { text: 'hello', list: [1, { two: null }] }, { ack: true })
    const bot = await fixture.client(bus, { clientId: 'bot', clientType: 'ai-agent', join: ['science:explore'] })
    const act = () => {
      bot.publish('science:explore', { text: 'on it' })
      ada.publish('science:explore', { text: 'thanks' })
    }
    return { bus, ada, act }
  }

  // Both themes and all kinds of widths, in some of their combinations.
  describe.each([
    ['light', 1280],
    ['dark', 360],
    ['dark', 800],
    ['light', 1920],
  ] as const)('%s, %d pixels wide', (colorScheme, width) => {
    test('axe finds nothing serious on any view, and nothing is wider than the page', PATIENT, async () => {
      const { bus, act } = await livelyBus()
      const { page, faults } = await fixture.open(bus, '', { colorScheme, viewport: { width, height: 740 } })
      act()
      for (const view of views) {
        await page.goto(`${bus.httpUrl}/${view}`)
        await page.getByRole('heading').first().waitFor({ state: 'attached' })
        if (view.includes('explore')) await page.getByText('hello').first().click()
        expect([view, await seriousFaults(page)]).toEqual([view, []])
        const wide = await page.evaluate(() => document.documentElement.scrollWidth)
        expect([view, wide]).toEqual([view, width])
        expect([view, await cutPlaceholders(page)]).toEqual([view, []])
      }
      expect(faults).toEqual([])
    })
  })

  test('axe finds nothing serious in the dialog, which takes the focus and returns it', PATIENT, async () => {
    const { page } = await fixture.open(await fixture.bus())
    const opener = page.getByRole('button', { name: 'Key', exact: true })
    await opener.press('Enter')
    await page.getByRole('dialog').waitFor()
    expect(await seriousFaults(page)).toEqual([])
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    expect(await opener.evaluate((element) => element === document.activeElement)).toBe(true)
  })

  test('the theme switch overrides the system preference and is remembered', PATIENT, async () => {
    const { page } = await fixture.open(await fixture.bus(), '', { colorScheme: 'light' })
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    const light = await background()
    await page.getByLabel('Theme').selectOption('dark')
    const dark = await background()
    expect(dark).not.toBe(light)
    await page.reload()
    await page.getByText('Connected', { exact: true }).waitFor()
    expect(await background()).toBe(dark)
    await page.getByLabel('Theme').selectOption('auto')
    expect(await background()).toBe(light)
  })

  test('everything can be reached by keyboard', PATIENT, async () => {
    const { bus, ada } = await livelyBus()
    const { page } = await fixture.open(bus)
    const { keyboard } = page
    const focused = () =>
      page.evaluate(
        () => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '',
      )
    const tabTo = async (name: string | RegExp) => {
      for (let tries = 0; tries < 30; tries++) {
        await keyboard.press('Tab')
        if ((await focused()).match(name)) return
      }
      throw new Error(`the Tab key does not reach ${name}; the focus is at ${await focused()}`)
    }
    await tabTo('Skip to the content')
    await tabTo(/^Channels/)
    await keyboard.press('Enter')
    await page.getByRole('treeitem', { name: /^Room science/ }).waitFor()
    await tabTo('Rooms and channels')
    // Down to the room; closed, open; its channel.
    const marked = () =>
      page.evaluate(() => {
        const id = document.activeElement?.getAttribute('aria-activedescendant')
        const item = id ? document.getElementById(id) : null
        return `${item?.textContent} ${item?.getAttribute('aria-expanded')}`
      })
    for (let tries = 0; tries < 20 && !(await marked()).includes('Room science'); tries++)
      await keyboard.press('ArrowDown')
    expect(await marked()).toBe('▾Room science1 channel true')
    await keyboard.press('ArrowLeft')
    expect(await marked()).toBe('▸Room science1 channel false')
    await keyboard.press('ArrowRight')
    await keyboard.press('ArrowDown')
    await keyboard.press('Enter')
    await page.getByRole('heading', { name: 'science:explore' }).waitFor()
    await page.getByText(/^live, /).waitFor()
    // The message, its payload expanded, and the form to reply.
    await tabTo('Messages of science:explore')
    await keyboard.press('End')
    await tabTo('payload as JSON')
    await keyboard.press('End')
    await keyboard.press('ArrowRight')
    await keyboard.press('End')
    await keyboard.press('ArrowRight')
    await page.getByRole('treeitem', { name: /two\s*null/ }).waitFor()
    const heard = new Promise((resolve) => ada.on('message', ({ payload }) => resolve(payload)))
    await page.getByRole('textbox', { name: /^Message to/ }).focus()
    await keyboard.type('by keyboard')
    await keyboard.press('Control+Enter')
    expect(await heard).toEqual({ text: 'by keyboard' })
  })
})
