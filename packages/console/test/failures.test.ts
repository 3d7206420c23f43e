import { describe, expect, test } from 'bun:test'
import { eventually, startRedis, withProgram } from '@arqonbus/testing'
import { bytes, duration } from '../page/kit/text.ts'
import { createFixture } from './support/fixture.ts'
import { joined, linkTo, messages, PATIENT, say } from './support/page.ts'

const ADMIN_KEY = 'the-admin-key'

withProgram('chromium', 'failures in the console', (chromium) => {
  const fixture = createFixture(chromium)

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

  describe('restarts and outages', () => {
    test('a restart is shown, and the page reconnects by itself', PATIENT, async () => {
      const first = await fixture.bus()
      const ports = { port: Number(new URL(first.busUrl).port), httpPort: Number(new URL(first.httpUrl).port) }
      const { page } = await fixture.open(first, linkTo('channels', 'science:explore'))
      await joined(page)
      await say(page, 'before the restart')
      await first.drain('restart')
      await page.getByText('Disconnected', { exact: true }).waitFor()
      await page.getByText(/^Disconnected at/).waitFor()
      const second = await fixture.bus(ports)
      await page.getByText('Connected', { exact: true }).waitFor()
      await page.getByText(/^Disconnected at/).waitFor({ state: 'detached' })
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
        .getByText(/^The log is unreachable/)
        .waitFor()
      await say(page, 'still here')
      await messages(page, 'a:b').getByText('provisional').waitFor()
      await redis.restart()
      await page.getByRole('alert').waitFor({ state: 'detached' })
    })

    test(
      'the banner shows how full the outage queue is, and how long it lasts at the rate so far',
      PATIENT,
      async () => {
        await using redis = await startRedis()
        const bus = await fixture.bus({ redisUrl: redis.url })
        const ada = await fixture.client(bus, { clientId: 'ada' })
        await ada.publish('a:b', {}, { ack: true })
        await redis.kill()
        const { page } = await fixture.open(bus, '', {})
        const banner = page.getByRole('alert')
        await banner
          .getByText(/^Messages are delivered provisionally and wait in the outage queue: 0 B of 64 MiB\. /)
          .waitFor()
        await ada.publish('a:b', { text: 'x'.repeat(10_000) }, { ack: 'memory' })
        const { attention, limits } = await eventually(async () => {
          const status = await ada.status({ lists: false })
          expect(status.limits.find(({ limit }) => limit === 'queued_bytes')?.used).toBeGreaterThan(10_000)
          return status
        })
        const { used, most } = limits.find(({ limit }) => limit === 'queued_bytes')!
        const since = Date.parse(attention.find(({ code }) => code === 'storage_away')!.since)
        const seconds = 60
        await page.clock.setFixedTime(since + seconds * 1000)
        const left = duration(((most - used) * seconds) / used)
        await banner.getByText(`outage queue: ${bytes(used)} of ${bytes(most)}, about ${left} left. `).waitFor()
      },
    )
  })
})
