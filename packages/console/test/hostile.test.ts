import { describe, expect, test } from 'bun:test'
import { withProgram } from '@arqonbus/testing'
import type { Page } from 'playwright-core'
import { createFixture } from './support/fixture.ts'
import { PATIENT } from './support/page.ts'

const place = '#/channels/evil%3Athings'
const MARKUP = '<script>document.title = "taken"</script><img src=x onerror="document.title=1"><b>bold</b>'

withProgram('chromium', 'hostile messages in the console', (chromium) => {
  const fixture = createFixture(chromium)

  const list = (page: Page) => page.getByRole('listbox', { name: 'Messages of evil:things' })

  describe('the console', () => {
    test('the console shows markup as text, wherever it appears', PATIENT, async () => {
      const bus = await fixture.bus()
      const mallory = await fixture.client(bus, {
        clientId: 'mallory',
        clientType: 'ai-agent',
        screenName: MARKUP,
        personality: MARKUP,
        avatar: 'javascript:alert(1)',
      })
      await mallory.createChannel('evil:things', { metadata: { [MARKUP]: MARKUP }, room_config: { [MARKUP]: MARKUP } })
      await mallory.publish('evil:things', { text: MARKUP, [MARKUP]: 1 }, { ack: true, metadata: { [MARKUP]: MARKUP } })
      const { page, faults, requests } = await fixture.open(bus, place)
      await list(page).getByText('<script>').first().click()
      await page.getByRole('tree', { name: 'payload as JSON' }).getByText('<b>bold</b>').first().waitFor()
      mallory.telemetry(MARKUP.slice(0, 64), { client_id: MARKUP, room: MARKUP, channel: MARKUP })
      await fixture.client(bus, { clientId: 'bot', clientType: 'ai-agent', screenName: MARKUP.slice(0, 128) })
      for (const [view, text] of [
        ['#/clients/mallory', '<b>bold</b>'],
        ['#/channels/evil', '<script>'],
        ['#/agents', '<script>'],
        ['#/telemetry', '<script>'],
        [`#/channels/${encodeURIComponent(`${MARKUP}:x`)}`, '<script>'],
        [`#/clients/${encodeURIComponent(MARKUP)}`, '<script>'],
      ] as const) {
        await page.goto(`${bus.httpUrl}/${view}`)
        await page.locator('main').getByText(text).filter({ visible: true }).first().waitFor()
      }
      expect(await page.title()).toBe('Clients · ArqonBus')
      expect(await page.locator('main script, main img, main b:text-is("bold")').count()).toBe(0)
      expect(faults).toEqual([])
      const hosts = new Set(requests.map((url) => new URL(url).host))
      expect([...hosts].sort()).toEqual([new URL(bus.httpUrl).host, new URL(bus.busUrl).host].sort())
    })

    test('the console expands huge and deep values step by step and keeps working', PATIENT, async () => {
      const bus = await fixture.bus({ maxDepth: 1000, maxMessageBytes: 2 * 1024 * 1024 })
      const mallory = await fixture.client(bus, { clientId: 'mallory' })
      const send = (payload: object) => mallory.publish('evil:things', payload, { ack: true })
      const deep = JSON.parse(`${'{"a":'.repeat(990)}1${'}'.repeat(990)}`) as object
      await send({ kind: 'long', text: 'x'.repeat(256 * 1024) })
      await send({ kind: 'deep', deep })
      await send({ kind: 'wide', list: Array.from({ length: 100_000 }, (_, n) => n) })
      await send({ kind: 'keyed', ...Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`k${n}`, n])) })
      const { page, faults } = await fixture.open(bus, place)
      const tree = page.getByRole('tree', { name: 'payload as JSON' })
      await list(page).getByText('kind long').click()
      await tree.getByText('262,144 characters').click()
      await page.getByRole('button', { name: /^Show more: 4,000 of 262,144/ }).click()
      await list(page).getByText('kind: "deep"').click()
      await tree.getByText('deep', { exact: true }).click()
      for (let level = 0; level < 20; level++) {
        await page.keyboard.press('ArrowDown')
        await tree.press('End')
        await tree.press('ArrowRight')
      }
      await tree.getByText('21', { exact: true }).first().waitFor()
      await list(page).getByText('kind: "wide"').click()
      await tree.getByText('list', { exact: true }).click()
      await tree.press('End')
      await tree.getByText('Show more of 100,000').click()
      await tree.press('End')
      await tree.getByText('199', { exact: true }).first().waitFor()
      await list(page).getByText('kind: "keyed"').click()
      await tree.press('End')
      await tree.getByText('Show more of 50,001').waitFor()
      expect(faults).toEqual([])
    })
  })
})
