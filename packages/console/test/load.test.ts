import { expect, test } from 'bun:test'
import { withProgram } from '@arqonbus/testing'
import { createFixture } from './support/fixture.ts'
import { PATIENT } from './support/page.ts'

withProgram('chromium', 'the console under load', (chromium) => {
  const fixture = createFixture(chromium)

  test('a tree of 10,000 channels scrolls and contains only the visible rows', PATIENT, async () => {
    const bus = await fixture.bus({ rateLimit: null })
    const ada = await fixture.client(bus, { clientId: 'ada', maxWaiting: 20_000 })
    const names = Array.from(
      { length: 10_000 },
      (_, n) => `r${Math.floor(n / 1000)}:channel-${String(n).padStart(5, '0')}`,
    )
    await Promise.all(names.map((address) => ada.createChannel(address)))
    const { page, faults } = await fixture.open(bus, '#/channels')
    await page.getByText('10,004', { exact: true }).waitFor()
    const tree = page.getByRole('tree', { name: 'Rooms and channels' })
    await page.getByLabel('Filter channels').fill('channel')
    await tree.press('End')
    await tree.getByRole('treeitem', { name: /^channel-09999 0/ }).waitFor()
    expect(await page.evaluate(mostRowsWhileScrolling)).toBeWithin(1, 60)
    await page.getByLabel('Filter channels').fill('r7:channel-07123')
    await tree.getByRole('treeitem', { name: /^channel-07123 0/ }).waitFor()
    expect(faults).toEqual([])
  })

  test('a flood of messages is drawn in few frames, with only the visible ones in the page', PATIENT, async () => {
    const bus = await fixture.bus({ rateLimit: null })
    const ada = await fixture.client(bus, { clientId: 'ada' })
    const { page, faults } = await fixture.open(bus, '#/channels/busy%3Aplace')
    await page.getByText(/^live, /).waitFor()
    const list = page.getByRole('listbox', { name: 'Messages of busy:place' })
    await page.evaluate(countChanges)
    const total = 3000
    for (let n = 1; n < total; n++) {
      ada.publish('busy:place', { n, text: 'on and on' })
      if (n % 100 === 0) await ada.ping()
    }
    await ada.publish('busy:place', { text: 'the last one' }, { ack: true })
    await list.getByText('the last one').waitFor()
    await page.getByText('live, 1,000 messages').waitFor()
    expect(await list.getByRole('option').count()).toBeLessThan(100)
    // How many frames a second it draws is for `npm run bench -- --only console`.
    expect(await page.evaluate(changes)).toBeWithin(1, total / 2)
    expect(faults).toEqual([])
  })
})

/** Counts from now on how often the page is drawn again. */
function countChanges(): void {
  const counted = globalThis as unknown as { changes: number }
  counted.changes = 0
  const list = document.querySelector('main')!
  new MutationObserver(() => counted.changes++).observe(list, { childList: true, subtree: true, characterData: true })
}

const changes = (): number => (globalThis as unknown as { changes: number }).changes

/** Scrolls the tree from its end to its beginning; the most rows that were there in any frame. */
async function mostRowsWhileScrolling(): Promise<number> {
  const list = document.querySelector('[role=tree]') as HTMLElement
  const [from, steps] = [list.scrollTop, 60]
  let most = 0
  for (let step = 1; step <= steps; step++) {
    list.scrollTop = from * (1 - step / steps)
    await new Promise(requestAnimationFrame)
    most = Math.max(most, list.querySelectorAll('[role=treeitem]').length)
  }
  return most
}
