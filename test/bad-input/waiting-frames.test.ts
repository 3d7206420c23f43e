/** Frames that arrive after one that waits for a log: a bounded number is read, and they are judged in their turn. */
import { expect, test } from 'bun:test'
import { createSlowLog, eventually, openRaw, startBus } from '@arqonbus/testing'
import { expectServed } from './support/served.ts'

test('endless empty frames after a request are not all read, and close the connection once the reply is there', async () => {
  const log = createSlowLog({ recent: 10 })
  const bus = await startBus({ rateLimit: null }, { log: log.forBus })
  const received = () => bus.metric('arqonbus_messages_received_total')
  const raw = await openRaw(`${bus.busUrl}?client_id=eve&join=science:explore`)
  await raw.nextJson()
  raw.frame({
    payload:
      '{"version":"1.0","id":"arq_1","type":"command","room":"science","channel":"explore","from":"eve","timestamp":"2026-11-21T12:00:00Z","payload":{"name":"history"}}',
  })
  await log.until(({ arrivals }) => arrivals > 0)
  const FRAMES = 500_000
  const empty = Buffer.from([0x81, 0x80, 0, 0, 0, 0])
  raw.write(Buffer.concat(Array.from({ length: FRAMES }, () => empty)))
  // The bus reads the frames of one packet, and no more, for as long as one waits.
  let last = -1
  await eventually(async () => {
    const now = await received()
    const isStill = now === last && now > 1
    last = now
    expect(isStill).toBe(true)
  })
  expect(last).toBeLessThan(FRAMES / 2)

  log.flow()
  expect(await raw.nextJson()).toMatchObject({ payload: { request_id: 'arq_1', status: 'success' } })
  for (let i = 0; i < 5; i++)
    expect(await raw.nextJson()).toMatchObject({ payload: { error: { code: 'invalid_json' } } })
  expect((await raw.ended).code).toBe(1008)
  await expectServed(bus)
})
