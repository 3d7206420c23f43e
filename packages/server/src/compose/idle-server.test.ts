/** How often a bus wakes up while nothing is said: counted by its timers, which fire when the test says so. */
import { afterAll, expect, test } from 'bun:test'
import { connect } from '@arqonbus/testing'
import { testConfig } from '../config/test-config.ts'
import { CLOCK_TICK_MS } from '../kit/clock.ts'
import { createEvery } from '../kit/timer.ts'
import { startServer } from '../server.ts'

const timers = new Map<() => void, number>()
const server = await startServer({
  config: testConfig({ drainTimeoutMs: 500 }),
  every: createEvery((ms, task) => {
    timers.set(task, ms)
    return () => void timers.delete(task)
  }),
})
afterAll(() => server.drain('end of the tests'))

const periods = () => [...timers.values()]
const fire = () => {
  for (const task of timers.keys()) task()
}

test('an idle server has one timer, even with connections and channels', async () => {
  expect(periods()).toEqual([CLOCK_TICK_MS])
  const ann = await connect(server.busUrl, { query: { client_id: 'ann', join: ['science:general'] } })
  await ann.publish({ room: 'science', channel: 'other' })
  expect(periods()).toEqual([CLOCK_TICK_MS])
  await ann.close()
})

test('connections that catch up are checked more often, until none is left', async () => {
  const ann = await connect(server.busUrl, { query: { client_id: 'ben' } })
  const { position } = await ann.publish({ room: 'science', channel: 'past' })
  await ann.publish({ room: 'science', channel: 'past' })
  await ann.command('join_channel', { channel: 'science:past', since: position! })
  expect(periods()).toEqual([CLOCK_TICK_MS, 50])
  fire()
  expect(periods()).toEqual([CLOCK_TICK_MS])
  await ann.close()
})
